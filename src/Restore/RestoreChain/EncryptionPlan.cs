using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Restore.RestoreChain;

internal enum EncryptionChoice
{
    Off,
    Inherit,

    /// <summary>Both could be wrong: the user must decide.</summary>
    Unknown,
}

/// <summary>
/// Decides how a backup that is not raw is received below an encrypted dataset. Pure functions, without I/O.
/// </summary>
internal static class EncryptionPlan
{
    private const string Property = "encryption";

    /// <param name="wanted">What was asked for.</param>
    /// <param name="sourceWasEncrypted">Null if it is unknown.</param>
    public static EncryptionChoice Make(PlainEncryption wanted, bool? sourceWasEncrypted) =>
        (wanted, sourceWasEncrypted) switch
        {
            (PlainEncryption.Off, _) => EncryptionChoice.Off,
            (PlainEncryption.Inherit, _) => EncryptionChoice.Inherit,
            (_, true) => EncryptionChoice.Inherit,
            (_, false) => EncryptionChoice.Off,
            _ => EncryptionChoice.Unknown,
        };

    /// <summary>Whether the source of a backup was encrypted.</summary>
    /// <returns>Null if the manifest does not say.</returns>
    public static bool? WasEncrypted(Manifest manifest)
    {
        if (manifest.Raw)
            return true;
        if (manifest.EffectiveProperties?.TryGetValue(Property, out var encryption) == true)
            return encryption.Value != "off";
        // Only a dataset with a key of its own has a place of it. Others may have inherited theirs.
        return manifest.Properties?.ContainsKey("keylocation") == true ? true : null;
    }
}
