namespace ZfsSnapshotManager.SendStream.Writing;

/// <summary>Copies records from a reader to a writer.</summary>
internal static class RecordCopy
{
    /// <summary>Copies the reader's current record, header and payload.</summary>
    public static ValueTask CopyAsync(
        SendStreamReader reader,
        SendStreamWriter writer,
        StreamOutput output,
        CancellationToken cancellationToken
    )
    {
        writer.WriteHeader(reader.Current);
        return CopyPayloadAsync(reader, writer, output, cancellationToken);
    }

    /// <summary>Copies the payload of the reader's current record after a header that was already written.</summary>
    public static async ValueTask CopyPayloadAsync(
        SendStreamReader reader,
        SendStreamWriter writer,
        StreamOutput output,
        CancellationToken cancellationToken
    )
    {
        while (await reader.ReadPayloadAsync(cancellationToken).ConfigureAwait(false) is { IsEmpty: false } slice)
        {
            writer.WritePayload(slice.Span);
            await output.FlushIfFullAsync(cancellationToken).ConfigureAwait(false);
        }

        await output.FlushIfFullAsync(cancellationToken).ConfigureAwait(false);
    }
}
