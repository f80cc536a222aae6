using Microsoft.Win32.SafeHandles;
using ZfsSnapshotManager.SendStream;
using ZfsSnapshotManager.SendStream.Resume;
using ZfsSnapshotManager.ZfsStandIn.State;
using ZfsSnapshotManager.ZfsStandIn.Streams;

namespace ZfsSnapshotManager.ZfsStandIn.Commands;

/// <summary>
/// <c>zfs receive -s</c>, also with <c>-F</c>, and <c>-A</c>. Like the kernel it keeps what came up to the last whole
/// record, and says by the token where the stream continues; killed, it has what it wrote down last.
/// </summary>
internal sealed class ReceiveCommand
{
    /// <summary>Bytes of the stream after which it is written down how far it came.</summary>
    private const long CheckpointBytes = 2 * 1024 * 1024;

    private readonly Arguments _arguments;
    private readonly string _dataset;
    private string? _leaf;
    private readonly IncomingStream _stream = new(
        new FileStream(new SafeFileHandle(0, ownsHandle: false), FileAccess.Read, bufferSize: 0)
    );

    private FileLock? _use;
    private PartialReceive _partial = null!;
    private ulong _bytesBefore;
    private ulong _guid;

    private ReceiveCommand(Arguments arguments)
    {
        _arguments = arguments;
        (_dataset, _leaf) = arguments.Name.Split('@') is [var dataset, var leaf]
            ? (dataset, leaf)
            : (arguments.Name, null);
    }

    private SnapshotStreamInfo Begin => _stream.Begin!;

    private string What =>
        Begin.IsResumed ? "cannot receive resume stream"
        : Begin.IsIncremental ? "cannot receive incremental stream"
        : "cannot receive new filesystem stream";

    public static int Run(string[] rest)
    {
        var arguments = new Arguments(rest, "AFsuo:");
        if (arguments.Has('A'))
            Abort(arguments.Name);
        else
            new ReceiveCommand(arguments).Run();
        return 0;
    }

    private static void Abort(string name) =>
        StateStore.Change(pool =>
        {
            var dataset = pool.Find(name) ?? throw ZfsFailure.Usage(ZfsFailure.NotFound(name).Message);
            if (dataset.Partial is null)
                throw new ZfsFailure($"'{name}' does not have any resumable receive state to abort");
            DatasetCommands.DemandIdle(dataset, $"cannot destroy '{name}'");
            dataset.Partial = null;
            if (dataset.IsInconsistent)
                pool.Datasets.Remove(dataset);
        });

    private void Run()
    {
        ReadBegin();
        var isIgnored = StateStore.Change(Prepare);
        try
        {
            var contents = isIgnored ? null : _partial.Contents;
            var noted = 0L;
            while (_stream.ReadRecord(contents))
            {
                if (isIgnored || _stream.State.StreamOffset < noted + CheckpointBytes)
                    continue;
                noted = _stream.State.StreamOffset;
                StateStore.Change(Note);
            }

            if (!isIgnored)
                StateStore.Change(Finish);
        }
        catch (SendStreamException)
        {
            throw isIgnored ? new ZfsFailure($"{What}: incomplete stream") : StateStore.Change(Break);
        }
        finally
        {
            _use?.Dispose();
        }
    }

    private void ReadBegin()
    {
        try
        {
            if (!_stream.ReadBegin())
                throw new ZfsFailure("cannot receive: failed to read from stream");
        }
        catch (SendStreamException)
        {
            throw new ZfsFailure("cannot receive: invalid stream (bad magic number)");
        }

        _leaf ??= Begin.SnapshotName;
    }

    /// <summary>Finds where the stream goes.</summary>
    /// <returns>True where its snapshot is there already: it is read, and nothing is done with it.</returns>
    private bool Prepare(PoolState pool)
    {
        var dataset = pool.Find(_dataset);
        if (Begin.IsResumed)
            Resume(dataset ?? throw Missing());
        else if (!Begin.IsIncremental)
            dataset = Create(pool, dataset);
        else if (dataset?.FindSnapshot(_leaf!)?.Guid == Begin.SnapshotGuid)
            return true;
        else
            Follow(dataset ?? throw Missing());
        _use = FileLock.TryUse(FileLock.OfReceive(dataset), shared: false) ?? throw HasPartial();
        dataset.Partial = _partial;
        _guid = dataset.Guid;
        return false;
    }

    private ZfsFailure Missing() => new($"{What}: destination '{_dataset}' does not exist");

    private ZfsFailure HasPartial() =>
        new($"{What}: destination {_dataset} contains partially-complete state from \"zfs receive -s\".");

    private Dataset Create(PoolState pool, Dataset? existing)
    {
        if (existing is not null)
            throw new ZfsFailure($"{What}: destination '{_dataset}' exists\nmust specify -F to overwrite it");
        if (_dataset.LastIndexOf('/') is > 0 and var end && pool.Find(_dataset[..end]) is null)
            throw new ZfsFailure(
                $"cannot open '{_dataset[..end]}': dataset does not exist\n{What}: unable to restore to destination"
            );
        var dataset = DatasetCommands.Add(pool, _dataset);
        dataset.IsVolume = Begin.Type == DatasetType.Volume;
        dataset.IsEncrypted |= Begin.IsRaw;
        dataset.IsInconsistent = true;
        foreach (var (name, value) in _arguments.Properties('o'))
            dataset.Properties[name] = value;
        _partial = NewPartial(new Contents());
        return dataset;
    }

    private void Follow(Dataset dataset)
    {
        if (dataset.Partial is not null)
            throw HasPartial();
        var newest = dataset.Snapshots.MaxBy(snapshot => snapshot.CreateTxg);
        if (_arguments.Has('F'))
            newest = dataset.Snapshots.Find(snapshot => snapshot.Guid == Begin.BaseGuid) ?? newest;
        if (newest?.Guid != Begin.BaseGuid)
            throw new ZfsFailure(
                dataset.Snapshots.Exists(snapshot => snapshot.Guid == Begin.BaseGuid)
                    ? $"{What}: destination {_dataset} has been modified\nsince most recent snapshot"
                    : $"{What}: most recent snapshot of {_dataset} does not\nmatch incremental source"
            );
        if (!_arguments.Has('F') && !dataset.Head.IsSameAs(newest!.Contents))
            throw new ZfsFailure($"{What}: destination {_dataset} has been modified\nsince most recent snapshot");
        _partial = NewPartial(newest!.Contents.Copy());
    }

    /// <summary>Before anything was received the kernel notes object 1 (dmu_recv_begin_sync).</summary>
    private PartialReceive NewPartial(Contents contents)
    {
        var partial = new PartialReceive
        {
            SnapshotGuid = Begin.SnapshotGuid,
            BaseGuid = Begin.BaseGuid,
            Contents = contents,
        };
        partial.Token = MakeToken(new ResumePoint(1, 0), 0).ToString();
        return partial;
    }

    private void Resume(Dataset dataset)
    {
        if (FileLock.IsInUse(FileLock.OfReceive(dataset)))
            throw HasPartial();
        if (!Begin.IsIncremental && !dataset.IsInconsistent)
            throw new ZfsFailure(
                $"{What}: Resuming recv on existing destination '{_dataset}'\nmust specify -F to overwrite it"
            );
        if (
            dataset.Partial is not { } partial
            || partial.SnapshotGuid != Begin.SnapshotGuid
            || partial.BaseGuid != Begin.BaseGuid
            || !IsAtToken(partial)
        )
            throw new ZfsFailure($"{What}: kernel modules must be upgraded to receive this stream.");
        (_partial, _bytesBefore) = (partial, partial.Bytes);
    }

    private bool IsAtToken(PartialReceive partial) =>
        ResumeToken.Parse(partial.Token) is var token
        && Begin.ResumePoint is { } from
        && from.Object == token.Object
        && from.Offset == token.Offset;

    private void Note(PoolState pool)
    {
        var state = _stream.State;
        if (state.ResumePoint.Object > 0 && state.ResumeBytes > 0)
        {
            _partial.Bytes = _bytesBefore + (ulong)state.ResumeBytes;
            _partial.Token = MakeToken(state.ResumePoint, _partial.Bytes).ToString();
        }

        Own(pool).Partial = _partial;
    }

    /// <summary>What module/zfs/dmu_recv.c, save_resume_state, notes.</summary>
    private ResumeToken MakeToken(ResumePoint point, ulong bytes) =>
        new()
        {
            BaseGuid = Begin.IsIncremental ? Begin.BaseGuid : null,
            Object = point.Object,
            Offset = point.Offset,
            Bytes = bytes,
            SnapshotGuid = Begin.SnapshotGuid,
            FullSnapshotName = Begin.FullSnapshotName,
            Embedded = (Begin.Features & StreamFeatures.EmbedData) != StreamFeatures.None,
            Compressed = (Begin.Features & StreamFeatures.Compressed) != StreamFeatures.None,
            Raw = Begin.IsRaw,
        };

    /// <summary>The stream broke: where only BEGIN came, all is as before.</summary>
    private ZfsFailure Break(PoolState pool)
    {
        var dataset = Own(pool);
        if (_stream.HasBegun || Begin.IsResumed)
        {
            Note(pool);
            return new ZfsFailure(
                $"{What}: checksum mismatch or incomplete stream.\nPartially received snapshot is saved.\nA resuming "
                    + "stream can be generated on the sending system by running:\n"
                    + $"    zfs send -t {_partial.Token}"
            );
        }

        dataset.Partial = null;
        if (!dataset.IsInconsistent)
            return new ZfsFailure($"{What}: incomplete stream");
        pool.Datasets.Remove(dataset);
        return new ZfsFailure($"cannot open '{_dataset}': dataset does not exist\n{What}: invalid backup stream");
    }

    private void Finish(PoolState pool)
    {
        var dataset = Own(pool);
        dataset.Partial = null;
        dataset.IsInconsistent = false;
        dataset.Head = _partial.Contents;
        if (_arguments.Has('F') && dataset.Snapshots.Find(snapshot => snapshot.Guid == _partial.BaseGuid) is { } basis)
            dataset.Snapshots.RemoveAll(snapshot => snapshot.CreateTxg > basis.CreateTxg);
        dataset.Snapshots.Add(
            new Snapshot
            {
                Leaf = _leaf!,
                Guid = Begin.SnapshotGuid,
                CreateTxg = pool.Txg,
                Creation = Begin.CreationTime.ToUnixTimeSeconds(),
                Contents = _partial.Contents.Copy(),
            }
        );
    }

    /// <summary>Nobody can destroy it meanwhile, but it may be renamed.</summary>
    private Dataset Own(PoolState pool) => pool.Datasets.Find(dataset => dataset.Guid == _guid)!;
}
