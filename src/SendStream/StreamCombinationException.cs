namespace ZfsSnapshotManager.SendStream;

/// <summary>
/// Streams that are valid by themselves, but cannot be spliced, resumed or merged as requested. The message states why.
/// </summary>
/// <param name="message">The cause and, if one exists, the remedy, as whole sentences.</param>
public sealed class StreamCombinationException(string message) : Exception(message);
