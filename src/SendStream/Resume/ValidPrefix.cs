namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>How much of a stream is valid: the result of <see cref="SendStreamRecovery"/>. Immutable.</summary>
/// <param name="State">The state at the last record boundary before the failure; its
/// <see cref="ParserState.StreamOffset"/> is the length of the valid prefix in bytes. What follows is
/// worthless.</param>
/// <param name="Failure">Why the stream is not complete and valid; null if it is.</param>
public sealed record ValidPrefix(ParserState State, SendStreamException? Failure);
