namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>The encryption of a dataset.</summary>
/// <param name="IsOff">Whether it is not encrypted.</param>
/// <param name="Root">The dataset that has its key; the dataset itself if it is not encrypted.</param>
/// <param name="IsKeyLoaded">Whether data can be written to it.</param>
public sealed record DatasetEncryption(bool IsOff, string Root, bool IsKeyLoaded);
