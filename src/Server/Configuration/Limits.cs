using System.Numerics;
using ZfsSnapshotManager.Core.Transfer;

namespace ZfsSnapshotManager.Server.Configuration;

/// <summary>
/// What a peer can take of the server, besides the settings: docs/configuration.md, "Limits", lists each of them with
/// its reason (compared by a test). Counts, unless the name says bytes or the type is a time.
/// </summary>
internal static class Limits
{
    /// <summary>A peer that is slower sends nothing that this server waits for.</summary>
    public static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Of a request: the longest one, the state before a part, has some 1,000 bytes.</summary>
    public const int HeaderBytes = 16 * 1024;

    /// <summary>The most bytes of a request's body, except for streams and parts.</summary>
    public const int BodyBytes = 64 * 1024;

    /// <summary>
    /// How long a connection may be silent before the kernel asks whether the peer still exists: a machine that was
    /// switched off says nothing.
    /// </summary>
    public static readonly TimeSpan KeepAliveAfter = TimeSpan.FromSeconds(60);

    /// <summary>How often the kernel asks again, and after how many questions the connection is dead.</summary>
    public static readonly TimeSpan KeepAliveInterval = TimeSpan.FromSeconds(15);

    /// <inheritdoc cref="KeepAliveInterval"/>
    public const int KeepAliveQuestions = 4;

    /// <summary>
    /// A part whose bytes arrive more slowly than this, averaged over <see cref="SlowPartAfter"/>, steps aside for
    /// others: a quick part has arrived by then.
    /// </summary>
    public const int SlowPartBytesPerSecond = 1024 * 1024;

    /// <inheritdoc cref="SlowPartBytesPerSecond"/>
    public static readonly TimeSpan SlowPartAfter = TimeSpan.FromSeconds(1);

    /// <summary>Memory is taken only as far as parts have arrived, and slow ones arrive slowly.</summary>
    public const int SlowPartsForEachQuickOne = 2;

    /// <summary>
    /// A part that brings less than this, averaged over <see cref="StalledPartAfter"/>, loses its slot if slots are
    /// short. Its client sends it again.
    /// </summary>
    public const int StalledPartBytesPerSecond = 8 * 1024;

    /// <inheritdoc cref="StalledPartBytesPerSecond"/>
    public static readonly TimeSpan StalledPartAfter = TimeSpan.FromSeconds(5);

    /// <summary>
    /// Parts that arrive more slowly on the whole are given up. BANDWIDTH_LIMIT of a client goes down to 10 kB/s, which
    /// up to 16 parts share.
    /// </summary>
    public const int SlowestPartBytesPerSecond = 512;

    /// <summary>Of a part, besides the time that its size allows.</summary>
    public static readonly TimeSpan PartGrace = TimeSpan.FromSeconds(60);

    /// <summary>
    /// A part may bring nothing for this long: its client has it in memory. UPLOAD_IDLE_TIMEOUT may be less.
    /// </summary>
    public static readonly TimeSpan PartIdle = TimeSpan.FromSeconds(120);

    /// <summary>
    /// How long a part waits for a slot: less than a client waits for an answer. Then it is told to send it again.
    /// </summary>
    public static readonly TimeSpan PartPatience = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Of a stream: the largest ones hold lists of redaction snapshots. As a list it takes three times as much.
    /// </summary>
    public const int BeginPayloadBytes = 1024 * 1024;

    /// <summary>What a block of a stream unpacks to: a record has up to 16 MiB.</summary>
    public const int BlockBytes = 32 * 1024 * 1024;

    /// <summary>What a zstd frame that is no block looks back on, in a part.</summary>
    public const int ZstdWindowBytes = 32 * 1024 * 1024;

    /// <summary>The same in a stream in one body: <c>zstd --long</c> and <c>--ultra -22</c> need it, and <c>zstd -d</c>
    /// takes no more. MAX_UPLOADS bounds how many there are.</summary>
    public const int BodyZstdWindowBytes = 128 * 1024 * 1024;

    /// <summary>
    /// Downloads that run at once: each takes some 600 KB while its client does not read, and in ZFS a process.
    /// </summary>
    public const int Downloads = 128;

    /// <summary>zfs-restore fetches up to 16 parts at once (DOWNLOAD_PARALLEL).</summary>
    public const int DownloadsPerClient = 32;

    /// <summary>A download of which its client reads nothing for this long gives its memory back.</summary>
    public static readonly TimeSpan DownloadStall = TimeSpan.FromSeconds(5);

    /// <summary>
    /// So long a download keeps its memory while others wait for some, and then to the end of its part.
    /// </summary>
    public static readonly TimeSpan DownloadTurn = TimeSpan.FromSeconds(2);

    /// <summary>Of one client, at once: downloads, streams in one body, and parts.</summary>
    public const int RequestsPerClient = 64;

    /// <summary>Lists that are made and read at once: one of 50,000 backups takes some 40 MB.</summary>
    public const int Lists = 8;

    /// <summary>Of these, of one client.</summary>
    public const int ListsPerClient = 2;

    /// <summary>A list that is read more slowly is cut off: it is in memory meanwhile.</summary>
    public const int ListBytesPerSecond = 2 * 1024;

    /// <summary>Before that is measured.</summary>
    public static readonly TimeSpan ListGrace = TimeSpan.FromSeconds(30);

    /// <summary>How long a download or list waits for a slot: less than a client waits for an answer.</summary>
    public static readonly TimeSpan ReadPatience = TimeSpan.FromSeconds(30);

    /// <summary>What a part may take while it is received.</summary>
    public static DecodeLimits Parts { get; } = new(BeginPayloadBytes, BlockBytes, BitOperations.Log2(ZstdWindowBytes));

    /// <summary>What a stream in one body may take while it is received.</summary>
    public static DecodeLimits Bodies { get; } = Parts with { ZstdWindow = BitOperations.Log2(BodyZstdWindowBytes) };

    /// <summary>How long a part of a size may take to arrive.</summary>
    public static TimeSpan PartTime(int size) =>
        PartGrace + TimeSpan.FromSeconds((double)size / SlowestPartBytesPerSecond);
}
