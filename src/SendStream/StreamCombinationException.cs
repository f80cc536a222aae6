namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Streams that are sound, each by itself, but cannot be spliced, resumed or merged as asked. The message says why.
/// </summary>
/// <param name="message">Why not, and what could be done, as whole sentences.</param>
public sealed class StreamCombinationException(string message) : Exception(message);
