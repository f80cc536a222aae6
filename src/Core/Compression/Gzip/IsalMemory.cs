namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>
/// Memory for a state of ISA-L: zeroed, pinned, and aligned to a cache line, as ISA-L requires.
/// </summary>
internal sealed unsafe class IsalMemory
{
    private const int Alignment = 64;

    private readonly byte[] _pinned;
    private readonly int _offset;

    public IsalMemory(int size)
    {
        _pinned = GC.AllocateArray<byte>(size + Alignment, pinned: true);
        fixed (byte* start = _pinned)
            _offset = (int)(-(nint)start & (Alignment - 1));
    }

    /// <summary>The memory. Callers use <c>fixed</c>, which keeps it from being collected.</summary>
    public ref byte GetPinnableReference() => ref _pinned[_offset];
}
