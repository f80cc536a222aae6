using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace ZfsSnapshotManager.Server.Http;

/// <summary>
/// Writes a response that ends in a list of up to tens of thousands of items: item by item, sent in large chunks.
/// </summary>
internal static class JsonListResponse
{
    /// <summary>By default the serializer sends 16 KiB at a time, which costs more than writing them.</summary>
    private const int PieceSize = 128 * 1024;

    /// <param name="context">Its response is written.</param>
    /// <param name="answer">Has an empty list as its last field.</param>
    /// <param name="items">The items of the list.</param>
    public static async Task WriteAsync<TAnswer, TItem>(
        HttpContext context,
        TAnswer answer,
        JsonTypeInfo<TAnswer> answerType,
        IEnumerable<TItem> items,
        JsonTypeInfo<TItem> itemType
    )
    {
        var empty = JsonSerializer.SerializeToUtf8Bytes(answer, answerType);
        if (!empty.AsSpan().EndsWith("[]}"u8))
            throw new ArgumentException("The answer does not end in an empty list.", nameof(answer));
        context.Response.ContentType = "application/json; charset=utf-8";
        var body = context.Response.BodyWriter;
        body.Write(empty.AsSpan(0, empty.Length - "[]}".Length));
        await WriteListAsync(body, items, itemType, context.RequestAborted);
        body.Write("}"u8);
        await body.FlushAsync(context.RequestAborted);
    }

    private static async Task WriteListAsync<TItem>(
        PipeWriter body,
        IEnumerable<TItem> items,
        JsonTypeInfo<TItem> type,
        CancellationToken cancellationToken
    )
    {
        await using var writer = new Utf8JsonWriter((IBufferWriter<byte>)body);
        var sent = 0L;
        writer.WriteStartArray();
        foreach (var item in items)
        {
            JsonSerializer.Serialize(writer, item, type);
            if (writer.BytesCommitted + writer.BytesPending - sent < PieceSize)
                continue;
            writer.Flush();
            await body.FlushAsync(cancellationToken);
            sent = writer.BytesCommitted;
        }

        writer.WriteEndArray();
    }
}
