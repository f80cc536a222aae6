using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.Restore.Download;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// Decides whether a backup is received encrypted. A raw one stays as it was. Any other would silently become encrypted
/// below an encrypted dataset, and could not be received if that one's key is not loaded.
/// </summary>
/// <param name="session">The server, for the manifests.</param>
/// <param name="wanted">What was asked for.</param>
/// <param name="isSentRaw">Whether encrypted datasets of the same backup were sent raw, so that this one was not
/// encrypted if its manifest does not say.</param>
internal sealed class ReceiveEncryption(RestoreSession session, PlainEncryption wanted, bool isSentRaw)
{
    private static readonly string[] Off = ["-o", "encryption=off"];

    private ZfsHost Zfs => session.Settings.Zfs;

    /// <summary>Options of <c>zfs receive</c> for the first stream of a chain.</summary>
    /// <param name="backup">The full backup.</param>
    /// <param name="final">The name of its dataset in the end.</param>
    /// <param name="target">The dataset that is created.</param>
    /// <exception cref="OperationException">The key that it needs is not loaded, or it is not known what is
    /// right.</exception>
    public async Task<IReadOnlyList<string>> ChooseAsync(
        SnapshotInfo backup,
        DatasetName target,
        DatasetName final,
        CancellationToken cancellationToken
    )
    {
        if (backup.Raw)
            return [];
        var parent = await Zfs.GetEncryptionAsync(ParentOf(target), cancellationToken);
        if (parent.IsOff)
            return [];
        bool? source = null;
        if (wanted == PlainEncryption.AsSource)
            source = await FindSourceAsync(backup, cancellationToken);
        switch (EncryptionPlan.Make(wanted, source))
        {
            case EncryptionChoice.Off:
                if (wanted == PlainEncryption.AsSource && !IsWithinRestore(target, final))
                    session.Output.Note(
                        $"{final} is restored unencrypted, as its source was, although {ParentOf(final)} is encrypted. "
                            + "To encrypt it with that key, start again with --restart --encryption inherit."
                    );
                return Off;
            case EncryptionChoice.Inherit:
                DemandKey(parent, final);
                session.Output.Note($"{final} is encrypted with the key of {parent.Root}.");
                return [];
            default:
                throw new OperationException(
                    ExitCode.Conflict,
                    $"{backup.SnapshotId} is not raw and does not say whether its source was encrypted (an older "
                        + $"zfs-client made it), and {ParentOf(final)} is encrypted. Nothing was received.",
                    "Add --encryption inherit to encrypt it with that key, or --encryption off to restore it "
                        + "unencrypted."
                );
        }
    }

    /// <summary>Incrementals, and the rest of an interrupted stream, are encrypted like the dataset.</summary>
    /// <param name="dataset">The dataset that an earlier run created.</param>
    /// <exception cref="OperationException">Its key is not loaded, or it is not encrypted as asked for.</exception>
    public async Task CheckAsync(SnapshotInfo backup, DatasetName dataset, CancellationToken cancellationToken)
    {
        if (backup.Raw)
            return;
        var encryption = await Zfs.GetEncryptionAsync(dataset, cancellationToken);
        if (wanted != PlainEncryption.AsSource && encryption.IsOff != (wanted == PlainEncryption.Off))
            throw new OperationException(
                ExitCode.Conflict,
                $"{dataset}, which an interrupted restore left, is {(encryption.IsOff ? "not " : "")}encrypted, and "
                    + "that cannot be changed.",
                "Resume without --encryption, or discard what was received with --restart."
            );
        DemandKey(encryption, dataset);
    }

    private static void DemandKey(DatasetEncryption encryption, DatasetName dataset)
    {
        if (encryption.IsKeyLoaded)
            return;
        throw new OperationException(
            ExitCode.Conflict,
            $"{dataset} needs the key of {encryption.Root}, which is not loaded. Nothing was transferred.",
            $"Load it and run the same command again: zfs load-key {encryption.Root}"
        );
    }

    private static DatasetName ParentOf(DatasetName dataset) =>
        DatasetName.Parse(dataset.Value[..dataset.Value.LastIndexOf('/')]);

    /// <summary>A descendant in a tree is as it was in its source's tree: there is nothing to say about it.</summary>
    private static bool IsWithinRestore(DatasetName target, DatasetName final) => ParentOf(target) != ParentOf(final);

    /// <returns>Whether the source was encrypted; null if that is unknown.</returns>
    private async Task<bool?> FindSourceAsync(SnapshotInfo backup, CancellationToken cancellationToken)
    {
        bool? known = null;
        try
        {
            var manifest = await ManifestDownload.FetchHeaderAsync(session, backup, isNeeded: true, cancellationToken);
            known = EncryptionPlan.WasEncrypted(manifest);
        }
        catch (OperationException e) when (ManifestDownload.IsUnavailable(e))
        {
            session.Detail($"{backup.SnapshotId}: whether its source was encrypted is unknown: {e.Message}");
        }

        return known ?? (isSentRaw ? false : null);
    }
}
