namespace ZfsSnapshotManager.UnitTests.Client.Pipeline;

/// <summary>Returns bytes as a pipe does: as many as are available.</summary>
internal sealed class DribblingStream(byte[] bytes, Random random, int most) : MemoryStream(bytes)
{
    public override int Read(byte[] buffer, int offset, int count) =>
        base.Read(buffer, offset, Math.Min(count, random.Next(1, most + 1)));
}
