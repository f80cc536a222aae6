namespace ZfsSnapshotManager.SystemTests.Crashes;

/// <summary>A run had fewer calls than the one in which they were counted, and ended before its crash point.</summary>
internal sealed class PointNotReachedException : Exception;
