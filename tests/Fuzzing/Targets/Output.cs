namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>Collects what the library writes and throws if the output does not end.</summary>
/// <param name="most">Bytes that it may write.</param>
internal sealed class Output(long most) : MemoryStream
{
    // All other write methods call this one, since this is not a plain MemoryStream.
    public override void Write(byte[] buffer, int offset, int count)
    {
        FuzzFinding.Unless(Length + count <= most, $"more than {most} bytes are written");
        base.Write(buffer, offset, count);
    }
}
