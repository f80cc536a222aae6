namespace ZfsSnapshotManager.Core.Compression.Gzip;

/// <summary>Inflates by ISA-L: blocks at once, or members piece by piece.</summary>
internal sealed unsafe class IsalInflater(IsalLibrary isal) : Inflater
{
    private readonly IsalMemory _memory = new(IsalLibrary.InflateStateSize);

    public override string? Inflate(ReadOnlySpan<byte> deflated, Span<byte> destination)
    {
        fixed (byte* memory = _memory, input = deflated, output = destination)
        {
            var state = (IsalState*)memory;
            isal.InitInflate(state);
            state->Wrapping = IsalState.TrailerOnly;
            Set(state, input, deflated.Length, output, destination.Length);
            var result = isal.InflateAtOnce(state);
            if (result != 0) return DescribeFault(result);
            if (state->BlockState != IsalState.Finished || state->AvailableOut != 0) return "it is shorter than it says";
            return state->AvailableIn == 0 ? null : "it has bytes after its end";
        }
    }

    /// <summary>A member begins with the next piece.</summary>
    public void BeginMember()
    {
        fixed (byte* memory = _memory)
        {
            isal.InitInflate(memory);
            ((IsalState*)memory)->Wrapping = IsalState.Member;
        }
    }

    /// <summary>Goes on with a member as far as there is input and room.</summary>
    /// <exception cref="InvalidDataException">The data are damaged.</exception>
    public InflatedPiece Continue(ReadOnlySpan<byte> input, Span<byte> output)
    {
        fixed (byte* memory = _memory, from = input, to = output)
        {
            var state = (IsalState*)memory;
            Set(state, from, input.Length, to, output.Length);
            var result = isal.Inflate(state);
            if (result < 0) throw new InvalidDataException(DescribeFault(result));
            return new InflatedPiece(input.Length - (int)state->AvailableIn, output.Length - (int)state->AvailableOut, state->BlockState == IsalState.Finished);
        }
    }

    private static void Set(IsalState* state, byte* input, int inputSize, byte* output, int outputSize)
    {
        state->NextIn = input;
        state->AvailableIn = (uint)inputSize;
        state->NextOut = output;
        state->AvailableOut = (uint)outputSize;
    }

    private static string DescribeFault(int result) => result switch
    {
        1 => "it is cut off",
        2 => "it is longer than it says",
        -1 => "it has a deflate block of no kind",
        -2 => "it has a code of no symbol",
        -3 => "it refers to bytes before its start",
        -4 or -5 => "its header is none of gzip's",
        -6 => "its CRC or length is wrong",
        _ => $"ISA-L says {result}",
    };
}
