namespace ZfsSnapshotManager.SendStream.Advanced;

/// <summary>Whole records, one after another, out of a stored stream.</summary>
/// <param name="Before">What a parser said before the first of them; <see cref="ParserState.Begin"/> may be
/// missing.</param>
/// <param name="After">What it said after the last; null for the run that ends with the stream.</param>
/// <param name="Records">The records and nothing else.</param>
public sealed record StreamRun(ParserState Before, ParserState? After, Stream Records);
