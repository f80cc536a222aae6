namespace ZfsSnapshotManager.SendStream.Resume;

/// <summary>Consecutive whole records of a stored stream, with the states around them. Immutable.</summary>
/// <param name="Before">The parser's state before the first record; <see cref="ParserState.Begin"/> may be
/// missing.</param>
/// <param name="After">The parser's state after the last record; null for the run that ends with the stream.</param>
/// <param name="Records">The records and nothing else.</param>
public sealed record StreamRun(ParserState Before, ParserState? After, Stream Records);
