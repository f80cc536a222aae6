using System.IO.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Decompresses gzip by the framework. Without System.IO.Compression.UseStrictValidation (a runtime setting, which the
/// programs set) GZipStream takes data that end early for complete.
/// </summary>
internal sealed class FrameworkGzipDecoder(PushbackStream source) : ContinuousDecoder
{
    private readonly GZipStream _gzip = new(source, CompressionMode.Decompress, leaveOpen: true);

    public override async ValueTask<int> ReadAsync(Memory<byte> room, CancellationToken cancellationToken)
    {
        try
        {
            var count = await _gzip.ReadAsync(room, cancellationToken);

            // GZipStream stops without an error before bytes that are not another member; gunzip warns of them.
            return count > 0 || source.EndWasRead ? count : throw new InvalidDataException(TrailingBytes);
        }
        catch (InvalidDataException e) when (e.Message != TrailingBytes)
        {
            throw Damaged(e.Message, e);
        }
    }

    public override void Dispose() => _gzip.Dispose();
}
