namespace ZfsSnapshotManager.Restore.RestoreChain;

/// <summary>Where a restore notes that it works on a target, for others to see.</summary>
internal interface IClaimNote
{
    /// <returns>Null if nothing is noted.</returns>
    Task<string?> ReadAsync(CancellationToken cancellationToken);

    /// <summary>Does nothing while no dataset exists that could have the note.</summary>
    Task WriteAsync(string value, CancellationToken cancellationToken);
}
