namespace ZfsSnapshotManager.SendStream.Resume.Deflate;

/// <summary>What a deflate block is made of before it is coded: a byte, or bytes that came before.</summary>
/// <param name="Value">The byte; or how many bytes are repeated, 3 to 258.</param>
/// <param name="Distance">How far back they are, 1 to 32768; 0 for a byte.</param>
internal readonly record struct DeflateSymbol(int Value, int Distance);
