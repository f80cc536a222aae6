using System.IO.Compression;

namespace ZfsSnapshotManager.Core.Transfer;

/// <summary>
/// Decompresses gzip by the framework, which is strict about the end of the data only with
/// System.IO.Compression.UseStrictValidation, which the programs have set.
/// </summary>
internal sealed class FrameworkGzipDecoder(PushbackStream source) : ContinuousDecoder
{
    private readonly GZipStream _gzip = new(source, CompressionMode.Decompress, leaveOpen: true);

    public override async ValueTask<int> ReadAsync(Memory<byte> room, CancellationToken cancellationToken)
    {
        try
        {
            var count = await _gzip.ReadAsync(room, cancellationToken);

            // It stops without asking for more where what follows a member is not another one. gunzip would warn there.
            return count > 0 || source.EndWasRead ? count : throw new InvalidDataException(TrailingBytes);
        }
        catch (InvalidDataException e) when (e.Message != TrailingBytes)
        {
            throw Damaged(e.Message, e);
        }
    }

    public override void Dispose() => _gzip.Dispose();
}
