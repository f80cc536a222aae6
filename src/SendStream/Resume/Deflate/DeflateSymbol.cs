namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>An element of a deflate block before it is coded: a byte, or a repetition of earlier bytes.</summary>
/// <param name="Value">The byte; or the number of repeated bytes, 3 to 258.</param>
/// <param name="Distance">How far back they are, 1 to 32,768 bytes; 0 for a byte.</param>
internal readonly record struct DeflateSymbol(int Value, int Distance);
