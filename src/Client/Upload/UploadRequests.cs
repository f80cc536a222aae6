using System.Globalization;
using System.Security.Cryptography;
using ZfsSnapshotManager.Client.Pipeline;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.Manifests;

namespace ZfsSnapshotManager.Client.Upload;

/// <summary>The requests of one upload, each retried from memory.</summary>
internal sealed class UploadRequests(
    ApiClient server,
    string uploadId,
    RetryPolicy retry,
    BandwidthLimit? limit,
    TimeProvider time
)
{
    /// <summary>
    /// How many connections must break for one request before the server is asked whether it breaks them on purpose.
    /// </summary>
    private const int BreaksUntilAsked = 2;

    private readonly UploadInquiry _inquiry = new(server, time);

    /// <summary>Sends a part.</summary>
    /// <exception cref="OperationException">The server refuses it, or is unreachable for too long.</exception>
    public async Task SendPartAsync(UploadPart part, CancellationToken cancellationToken)
    {
        var answer = await RepeatAsync(token => SendPartOnceAsync(part, token), cancellationToken);
        if (
            answer.SizeBytes != part.Size
            || answer.StreamBytes != part.StreamBytes
            || answer.State != part.End.FormatWithoutBegin()
        )
            throw new StoredContentMismatchException();
    }

    /// <summary>Sends a whole stored stream.</summary>
    /// <exception cref="OperationException">The server refuses it, or is unreachable for too long.</exception>
    public Task<UploadStateAnswer> SendWholeAsync(UploadPart whole, CancellationToken cancellationToken) =>
        RepeatAsync(
            async token =>
            {
                using var watch = new TransferWatch(time);
                using var content = new PartContent(whole, limit, watch);
                return await server.UploadStreamAsync(uploadId, content, watch, token);
            },
            cancellationToken
        );

    /// <summary>Tells the server that all parts are sent.</summary>
    /// <exception cref="OperationException">The server refuses, or is unreachable for too long.</exception>
    public Task<UploadStateAnswer> CompleteAsync(CompleteRequest request, CancellationToken cancellationToken) =>
        RepeatAsync(token => server.CompleteUploadAsync(uploadId, request, token), cancellationToken);

    /// <summary>Adds the digests of the parts that earlier runs sent. They are read as a stream: of 10 TB in parts of
    /// 8 MiB they are 40 MB.</summary>
    /// <param name="digest">Gets them in order.</param>
    /// <param name="parts">How many.</param>
    /// <exception cref="NotResumableException">The server has other parts than it said.</exception>
    /// <exception cref="OperationException">The server refuses, or is unreachable for too long.</exception>
    public async Task AddPartDigestsAsync(PartsDigest digest, int parts, CancellationToken cancellationToken)
    {
        // A response that breaks is asked for again, and what was read of it is skipped.
        var complete = await RepeatAsync(
            async token =>
            {
                await using var digests = await server.OpenPartDigestsAsync(uploadId, token);
                return await ReadDigestsAsync(digests, digest, parts, token);
            },
            cancellationToken
        );
        if (!complete)
            throw new NotResumableException($"the server does not have the {parts} parts that it reported");
    }

    /// <returns>False if the response does not contain exactly the digests of all parts.</returns>
    private static async Task<bool> ReadDigestsAsync(
        Stream digests,
        PartsDigest digest,
        int parts,
        CancellationToken cancellationToken
    )
    {
        var one = new byte[SHA256.HashSizeInBytes];
        var number = 0;
        while (true)
        {
            var read = await digests.ReadAtLeastAsync(one, one.Length, throwOnEndOfStream: false, cancellationToken);
            if (read < one.Length)
                return read == 0 && number == parts;
            if (number == parts)
                return false;
            number++;
            if (number > digest.Count)
                digest.Add(one);
        }
    }

    private async Task<PartAnswer> SendPartOnceAsync(UploadPart part, CancellationToken cancellationToken)
    {
        using var watch = new TransferWatch(time);
        using var content = new PartContent(part, limit, watch);
        content.Headers.TryAddWithoutValidation("Content-Digest", $"sha-256=:{Convert.ToBase64String(part.Sha256)}:");
        content.Headers.TryAddWithoutValidation("X-Part-Offset", part.Offset.ToString(CultureInfo.InvariantCulture));
        if (part.Number > 1)
            content.Headers.TryAddWithoutValidation("X-Part-Start", part.Start.Format());
        content.Headers.TryAddWithoutValidation("X-Part-End", part.End.FormatWithoutBegin());
        return await server.UploadPartAsync(uploadId, part.Number, content, watch, cancellationToken);
    }

    private Task<T> RepeatAsync<T>(Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        var breaks = 0;
        return retry.RunAsync(TryAsync, cancellationToken);

        async Task<T> TryAsync(CancellationToken token)
        {
            try
            {
                return await request(token);
            }
            catch (OperationException e) when (e is not ApiException && ++breaks >= BreaksUntilAsked)
            {
                if (await _inquiry.FindRefusalAsync(uploadId, token) is { } refusal)
                    throw refusal;
                throw;
            }
        }
    }
}
