namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates with ISA-L.</summary>
internal sealed unsafe class IsalInflater(IsalLibrary isal) : Inflater
{
    private readonly IsalMemory _memory = new(IsalLibrary.InflateStateSize);

    public override string? Inflate(ReadOnlySpan<byte> deflated, Span<byte> destination)
    {
        fixed (
            byte* memory = _memory,
                input = deflated,
                output = destination
        )
        {
            var state = (IsalState*)memory;
            isal.InitInflate(state);
            state->Wrapping = IsalState.TrailerOnly;
            state->Set(input, deflated.Length, output, destination.Length);
            var result = isal.InflateAtOnce(state);
            if (result != 0)
                return IsalState.DescribeFault(result);
            if (state->BlockState != IsalState.Finished || state->AvailableOut != 0)
                return "it is shorter than it says";
            return state->AvailableIn == 0 ? null : "it has bytes after its end";
        }
    }
}
