using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.ZfsStandIn.State;
using ZfsSnapshotManager.ZfsStandIn.Streams;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary><c>zfs send</c>, also of the rest of an interrupted stream (<c>-t</c>).</summary>
internal static class SendCommand
{
    /// <summary>What <c>zfs send -t</c> ends with: libzfs returns -1, and zfs_main.c hands that on.</summary>
    private const int RefusedToken = 255;

    public static int Run(string[] rest)
    {
        var arguments = new Arguments(rest, "nPvLecwi:t:");
        var pool = StateStore.Read();
        var token = arguments.Find('t') is { } text ? ReadToken(text) : null;
        if (token is not null && arguments.Has('n'))
            DescribeToken(token);
        var (dataset, stream, from) = token is null ? Plan(pool, arguments) : PlanRest(pool, token);
        if (arguments.Has('n'))
        {
            if (File.Exists(Path.Combine(StateStore.Directory, "no-estimates")))
                throw new ZfsFailure("internal error: Invalid argument", token is null ? 1 : RefusedToken);
            Describe(stream, from);
            return 0;
        }

        using var use = FileLock.TryUse(FileLock.OfSend(dataset, stream.Snapshot), shared: true);
        try
        {
            using var output = new StandardOutput();
            try
            {
                stream.WriteTo(output);
            }
            catch (UnreadableBlockException)
            {
                output.Flush(); // what was read before arrives
                throw new ZfsFailure(
                    $"warning: cannot send '{stream.Name}': Input/output error",
                    token is null ? 1 : RefusedToken
                );
            }
        }
        catch (IOException)
        {
            Signals.EndByBrokenPipe();
        }

        return 0;
    }

    private static (Dataset Dataset, OutgoingStream Stream, string? From) Plan(PoolState pool, Arguments arguments)
    {
        var name = arguments.Name;
        var snapshot = pool.GetSnapshot(name);
        var dataset = pool.Get(name.Split('@')[0]);
        var features = FeaturesOf(arguments.Has('e'), arguments.Has('c'), arguments.Has('w'), dataset);
        if (arguments.Find('i') is not { } from)
            return (dataset, new OutgoingStream(name, dataset.IsVolume, snapshot, 0, new Contents(), features), null);
        if (from[0] is '@' or '#')
            from = dataset.Name + from;
        var entry = Entry.Find(pool, from);
        if (entry is null && from.Contains('#', StringComparison.Ordinal))
            throw new ZfsFailure($"warning: cannot send '{name}': incremental source ({from}) does not exist");
        var (guid, txg, contents) = BaseOf(entry ?? throw ZfsFailure.NotFound(from));
        if (entry.Dataset != dataset || txg >= snapshot.CreateTxg)
            throw new ZfsFailure($"warning: cannot send '{name}': not an earlier snapshot from the same fs");
        return (dataset, new OutgoingStream(name, dataset.IsVolume, snapshot, guid, contents, features), from);
    }

    /// <summary>Snapshot and base are found by their GUIDs, in the dataset of the token or another one.</summary>
    private static (Dataset Dataset, OutgoingStream Stream, string? From) PlanRest(PoolState pool, ResumeToken token)
    {
        var named = token.FullSnapshotName.Split('@')[0];
        var entries = pool
            .Datasets.OrderBy(dataset => dataset.Name != named)
            .SelectMany(dataset => new Entry(pool, dataset).Children())
            .ToList();
        var to = entries.Find(entry => entry.Snapshot?.Guid == token.SnapshotGuid)
            ?? throw Refuse(
                Entry.Find(pool, token.FullSnapshotName) is null
                    ? $"'{token.FullSnapshotName}' used in the initial send no longer exists"
                    : $"'{token.FullSnapshotName}' is no longer the same snapshot used in the initial send"
            );
        Entry? from = null;
        if (token.BaseGuid is { } fromGuid)
            from = entries.Find(entry => (entry.Snapshot?.Guid ?? entry.Bookmark?.Guid) == fromGuid)
                ?? throw Refuse($"incremental source 0x{fromGuid:x} no longer exists");
        // It looks for the base in the whole pool, and takes the first that has the GUID.
        if (from is not null && from.Dataset != to.Dataset)
            throw new ZfsFailure($"warning: cannot send '{to.Name}': Invalid cross-device link", RefusedToken);
        var (guid, _, contents) = from is null ? (0UL, 0UL, new Contents()) : BaseOf(from);
        var features = FeaturesOf(token.Embedded, token.Compressed, token.Raw, to.Dataset);
        return (
            to.Dataset,
            new OutgoingStream(to.Name, to.Dataset.IsVolume, to.Snapshot!, guid, contents, features)
            {
                FromObject = token.Object,
                FromOffset = token.Offset,
            },
            from?.Name
        );
    }

    private static (ulong Guid, ulong Txg, Contents Contents) BaseOf(Entry entry) =>
        entry.Snapshot is { } snapshot
            ? (snapshot.Guid, snapshot.CreateTxg, snapshot.Contents)
            : (entry.Bookmark!.Guid, entry.Bookmark.CreateTxg, entry.Bookmark.Contents);

    /// <summary>
    /// No dataset of the stand-in has large blocks, so that <c>-L</c> changes nothing; those that are encrypted have no
    /// embedded ones (module/zfs/dmu_send.c, setup_featureflags).
    /// </summary>
    private static StreamFeatures FeaturesOf(bool embedded, bool compressed, bool raw, Dataset dataset) =>
        StreamFeatures.SaSpill
        | If((embedded || raw) && !dataset.IsEncrypted, StreamFeatures.EmbedData)
        | If(compressed || raw, StreamFeatures.Compressed)
        | If(raw && dataset.IsEncrypted, StreamFeatures.Raw);

    private static StreamFeatures If(bool holds, StreamFeatures feature) => holds ? feature : StreamFeatures.None;

    private static ResumeToken ReadToken(string text)
    {
        try
        {
            return ResumeToken.Parse(text);
        }
        catch (FormatException e)
        {
            throw Refuse($"resume token is corrupt ({NameFault(text, e.Message)})");
        }
    }

    private static string NameFault(string text, string message)
    {
        if (text.Split('-').Length != 4)
            return "invalid format";
        if (text.Split('-')[0] is not "1" and var version)
            return $"invalid version {version}";
        return
            message.Contains("whose data", StringComparison.Ordinal)
            || message.Contains("unpacked", StringComparison.Ordinal)
            ? "decompression failed"
            : "incorrect checksum";
    }

    private static ZfsFailure Refuse(string why) => new($"cannot resume send: {why}", RefusedToken);

    private static void Describe(OutgoingStream stream, string? from)
    {
        var size = stream.EstimateSize();
        Console.Out.WriteLine(
            from is null ? $"full\t{stream.Name}\t{size}" : $"incremental\t{from}\t{stream.Name}\t{size}"
        );
        Console.Out.WriteLine($"size\t{size}");
    }

    private static void DescribeToken(ResumeToken token)
    {
        Console.Out.WriteLine("resume token contents:\nnvlist version: 0");
        if (token.BaseGuid is { } from)
            Console.Out.WriteLine($"\tfromguid = 0x{from:x}");
        Console.Out.WriteLine($"\tobject = 0x{token.Object:x}\n\toffset = 0x{token.Offset:x}");
        Console.Out.WriteLine(
            $"\tbytes = 0x{token.Bytes:x}\n\ttoguid = 0x{token.SnapshotGuid:x}\n\ttoname = {token.FullSnapshotName}"
        );
        if (token.Embedded)
            Console.Out.WriteLine("\tembedok");
        if (token.Compressed)
            Console.Out.WriteLine("\tcompressok");
        if (token.Raw)
            Console.Out.WriteLine("\trawok");
    }
}
