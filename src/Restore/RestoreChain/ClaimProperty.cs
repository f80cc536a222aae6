using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Names;
using ZfsSnapshotManager.Core.Zfs;

namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>
/// The note as a user property of the partial dataset. What cannot be read or written now, because the dataset does
/// not exist yet, is being renamed, the connection broke or no process can be started, is no sign of another run.
/// </summary>
internal sealed class ClaimProperty(ZfsHost zfs, DatasetName partial) : IClaimNote
{
    private bool _isOfRestore;

    public async Task<string?> ReadAsync(CancellationToken cancellationToken)
    {
        try
        {
            var rows = await zfs.RunTableAsync(
                [
                    "get",
                    "-H",
                    "-s",
                    "local",
                    "-o",
                    "property,value",
                    $"{RestoreMarks.Mark},{RestoreClaim.Property}",
                    partial.Value,
                ],
                cancellationToken
            );
            var values = rows.Where(row => row is [_, _]).ToDictionary(row => row[0], row => row[1]);
            _isOfRestore = values.ContainsKey(RestoreMarks.Mark);
            return values.GetValueOrDefault(RestoreClaim.Property);
        }
        catch (OperationException)
        {
            _isOfRestore = false;
            return null;
        }
    }

    /// <summary>A dataset of that name that no restore created is left as it is.</summary>
    public async Task WriteAsync(string value, CancellationToken cancellationToken)
    {
        if (!_isOfRestore)
            return;
        try
        {
            await zfs.RunAsync(["set", $"{RestoreClaim.Property}={value}", partial.Value], cancellationToken);
        }
        catch (OperationException)
        {
            // The next one follows in some seconds.
        }
    }
}
