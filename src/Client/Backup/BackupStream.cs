using System.Buffers;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Core.Transfer;
using ZfsSnapshotManager.Core.Zfs;
using ZfsSnapshotManager.SendStream;

namespace ZfsSnapshotManager.Client.Backup;

/// <summary>
/// The body of an upload: <c>zfs send</c>, verified record by record and compressed on its way. It ends like a whole body only if the stream
/// was whole, right, and <c>zfs send</c> exited with 0; in every other case it throws, which breaks the request off.
/// </summary>
internal sealed class BackupStream(ZfsSend send, CompressionFormat compression, Action<long> progress) : HttpContent
{
    private const int SliceSize = 256 * 1024;

    /// <summary>Facts of the stream, once all of it was sent.</summary>
    public StreamFacts? Facts { get; private set; }

    /// <summary>SHA-256 of the compressed bytes, once all were sent; lower-case hex.</summary>
    public string? Sha256 { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await using var zfs = send.Start();
        zfs.Input.Close();
        using var digest = new DigestingStream(stream);
        var verifier = new SendStreamVerifier();
        var compressed = compression == CompressionFormat.Gzip ? new GZipStream(digest, CompressionLevel.Fastest, leaveOpen: true) : (Stream)digest;
        await CopyAsync(zfs, compressed, verifier, cancellationToken).ConfigureAwait(false);
        Facts = verifier.Complete();

        // Only now may the compressed format end: disposing writes its trailer, which would make a cut stream look whole.
        if (compression == CompressionFormat.Gzip) await compressed.DisposeAsync().ConfigureAwait(false);
        Sha256 = digest.GetSha256();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private async Task CopyAsync(ZfsProcess zfs, Stream compressed, SendStreamVerifier verifier, CancellationToken cancellationToken)
    {
        var slice = ArrayPool<byte>.Shared.Rent(SliceSize);
        try
        {
            int count;
            while ((count = await zfs.Output.ReadAsync(slice.AsMemory(0, SliceSize), cancellationToken).ConfigureAwait(false)) > 0)
            {
                verifier.Append(slice.AsSpan(0, count));
                await compressed.WriteAsync(slice.AsMemory(0, count), cancellationToken).ConfigureAwait(false);
                progress(count);
            }

            // A killed zfs send ends its pipe like a finished one.
            await zfs.WaitForSuccessAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(slice);
        }
    }

    /// <summary>Digests what passes.</summary>
    private sealed class DigestingStream(Stream destination) : OneWayStream
    {
        private readonly IncrementalHash _sha256 = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public override bool CanWrite => true;

        public string GetSha256() => Convert.ToHexStringLower(_sha256.GetCurrentHash());

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _sha256.AppendData(buffer.Span);
            return destination.WriteAsync(buffer, cancellationToken);
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => destination.FlushAsync(cancellationToken);

        public override void Flush() => destination.Flush();

        protected override void Dispose(bool disposing)
        {
            if (disposing) _sha256.Dispose();
            base.Dispose(disposing);
        }
    }
}
