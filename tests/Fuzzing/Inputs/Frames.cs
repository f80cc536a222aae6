namespace ZfsSnapshotManager.Fuzzing.Inputs;

/// <summary>
/// Several streams in one input. Each is a byte (odd: a <see cref="StreamProgram"/>; even: the stream's own bytes), two
/// bytes of length, and that many bytes, or as many as are left.
/// </summary>
internal static class Frames
{
    /// <summary>Reads the next stream.</summary>
    public static byte[] Next(ref ByteSource source)
    {
        var isProgram = (source.NextByte() & 1) != 0;
        var frame = source.Take(source.NextUInt16());
        return isProgram ? StreamProgram.Build(frame) : frame.ToArray();
    }

    /// <summary>A frame that holds a program.</summary>
    public static byte[] Of(byte[] program) =>
        [1, .. BitConverter.GetBytes(checked((ushort)program.Length)), .. program];
}
