using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Reads <see cref="DatasetEncryption"/>.</summary>
public static class DatasetEncryptionReader
{
    public static async Task<DatasetEncryption> GetEncryptionAsync(
        this ZfsHost zfs,
        DatasetName dataset,
        CancellationToken cancellationToken
    )
    {
        try
        {
            var rows = await zfs.RunTableAsync(
                ["get", "-H", "-o", "property,value", "encryption,encryptionroot,keystatus", dataset.Value],
                cancellationToken
            );
            var values = rows.ToDictionary(row => row[0], row => row[1], StringComparer.Ordinal);
            return values["encryption"] is "off" or "-"
                ? new DatasetEncryption(IsOff: true, dataset.Value, IsKeyLoaded: true)
                : new DatasetEncryption(IsOff: false, values["encryptionroot"], values["keystatus"] == "available");
        }
        catch (ZfsException e) when (e.StandardError.Contains("invalid property", StringComparison.Ordinal))
        {
            return new DatasetEncryption(IsOff: true, dataset.Value, IsKeyLoaded: true); // a ZFS before 0.8
        }
    }
}
