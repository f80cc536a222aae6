namespace ZfsSnapshotManager.Server.Quota;

/// <summary>
/// How many stored bytes a stream will have, as far as that is known before it ends: nothing is deleted for an upload
/// that cannot fit. Clients announce the size of the stream before compression, as <c>zfs send -n</c> estimates it;
/// only that of a full stream is reliable.
/// </summary>
internal static class ExpectedSize
{
    /// <summary>The estimate may be some percent too high.</summary>
    private const double Certain = 7.0 / 8;

    /// <summary>The dataset's next stream may compress better than those before.</summary>
    private const double CertainByOthers = 1.0 / 2;

    /// <summary>File systems seldom compress better.</summary>
    private const double BestGuess = 1.0 / 4;

    /// <summary>Bytes of a stream that say how well it compresses: not its first metadata alone.</summary>
    private const long Sample = 8 * 1024 * 1024;

    /// <summary>For an upload that is refused at once if it has not so much room.</summary>
    /// <param name="estimate">Bytes of the stream; null: the client did not say.</param>
    /// <param name="isCompressed">Whether fewer bytes are stored.</param>
    /// <param name="knownShare">Stored bytes for each byte of the stream, of the dataset's backups; null: there are
    /// none.</param>
    /// <returns>0 if too little is known.</returns>
    public static long WhenAnnounced(long? estimate, bool isCompressed, double? knownShare) =>
        Multiply(estimate, isCompressed ? CertainByOthers * (knownShare ?? 0) : Certain);

    /// <summary>For an upload that can continue only if backups are deleted for it.</summary>
    /// <param name="stored">Stored bytes that have arrived.</param>
    /// <param name="streamed">Bytes of the stream that they hold.</param>
    /// <inheritdoc cref="WhenAnnounced"/>
    public static long BeforeDeletion(
        long? estimate,
        bool isCompressed,
        double? knownShare,
        long stored = 0,
        long streamed = 0
    )
    {
        if (!isCompressed)
            return Multiply(estimate, Certain);
        if (streamed >= Sample)
            return Multiply(estimate, Certain * stored / streamed);
        var observed = streamed > 0 ? Certain * stored / streamed : 0;
        return Multiply(estimate, Math.Max(observed, knownShare is { } share ? CertainByOthers * share : BestGuess));
    }

    /// <summary>Saturates: a client may announce any number.</summary>
    private static long Multiply(long? estimate, double share)
    {
        var bytes = (estimate ?? 0) * share;
        return bytes < long.MaxValue / 4 ? (long)bytes : long.MaxValue / 4;
    }
}
