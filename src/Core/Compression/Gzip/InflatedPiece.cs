namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>What came of a piece of input.</summary>
/// <param name="Consumed">Bytes of input that are used up.</param>
/// <param name="Produced">Bytes that came out.</param>
/// <param name="Ended">Whether the member or frame is at its end, and right.</param>
public readonly record struct InflatedPiece(int Consumed, int Produced, bool Ended);
