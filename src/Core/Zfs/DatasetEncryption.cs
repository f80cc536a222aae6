using ZfsSnapshotManager.Core.Names;

namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>The encryption of a dataset.</summary>
/// <param name="IsOff">Whether it is not encrypted.</param>
/// <param name="Root">The dataset that has its key; the dataset itself if it is not encrypted.</param>
/// <param name="IsKeyLoaded">Whether data can be written to it.</param>
public sealed record DatasetEncryption(bool IsOff, string Root, bool IsKeyLoaded);

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
