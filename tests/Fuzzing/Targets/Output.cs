namespace ZfsSnapshotManager.Fuzzing.Targets;

/// <summary>Takes what the library writes, and complains if it writes without end.</summary>
/// <param name="most">Bytes that it may write.</param>
internal sealed class Output(long most) : MemoryStream
{
    // All other ways to write lead here, since this is not a plain MemoryStream.
    public override void Write(byte[] buffer, int offset, int count)
    {
        FuzzFinding.Unless(Length + count <= most, $"more than {most} bytes are written");
        base.Write(buffer, offset, count);
    }
}
