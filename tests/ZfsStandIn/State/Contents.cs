using System.Security.Cryptography;
using System.Text;

namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>The files of a dataset or snapshot: their names, and from which seeds their blocks are made.</summary>
internal sealed class Contents
{
    /// <summary>In the order of their numbers.</summary>
    public List<StoredFile> Files { get; set; } = [];

    /// <summary>The number of the next new file; ZFS has the master node where files could begin.</summary>
    public ulong NextNumber { get; set; } = 2;

    public Contents Copy() => new() { NextNumber = NextNumber, Files = [.. Files.Select(file => file.Copy())] };

    public StoredFile? Find(ulong number) => Files.Find(file => file.Number == number);

    public StoredFile Get(string name) =>
        Files.Find(file => file.Name == name) ?? throw new ZfsFailure($"stand-in: there is no file {name}");

    /// <summary>Writes a file anew, or a new one.</summary>
    public void Write(string name, long bytes, ulong seed)
    {
        var blockSize = (int)Math.Min(Block.Largest, (bytes + 511) / 512 * 512);
        var file = Files.Find(file => file.Name == name);
        if (file is null || file.BlockSize != blockSize)
        {
            Files.RemoveAll(old => old.Name == name);
            file = Add(NextNumber, name, blockSize);
        }

        file.Runs = [new BlockRun(seed, (bytes + blockSize - 1) / blockSize)];
        file.Repair();
    }

    public StoredFile Add(ulong number, string name, int blockSize)
    {
        var file = new StoredFile
        {
            Number = number,
            Name = name,
            BlockSize = blockSize,
        };
        var place = Files.FindIndex(other => other.Number > number);
        Files.Insert(place < 0 ? Files.Count : place, file);
        NextNumber = Math.Max(NextNumber, number + 1);
        return file;
    }

    /// <summary>A line for each file: its name, its size, a digest of what its blocks are made of.</summary>
    public IEnumerable<string> Describe() =>
        Files
            .OrderBy(file => file.Name, StringComparer.Ordinal)
            .Select(file =>
            {
                var blocks = string.Join(' ', file.Runs.Select(run => $"{run.Seed}*{run.Count}"));
                var digest = SHA256.HashData(Encoding.ASCII.GetBytes($"{file.BlockSize} {blocks}"));
                return $"{file.Name} {file.Blocks * file.BlockSize} {Convert.ToHexStringLower(digest)}";
            });

    public bool IsSameAs(Contents other) => Describe().SequenceEqual(other.Describe(), StringComparer.Ordinal);
}

/// <summary>A file: an object of a stream.</summary>
internal sealed class StoredFile
{
    public required ulong Number { get; set; }

    public required string Name { get; set; }

    public required int BlockSize { get; set; }

    /// <summary>Its blocks from the first on, those of one seed together.</summary>
    public List<BlockRun> Runs { get; set; } = [];

    /// <summary>A block that cannot be read; null where all can.</summary>
    public long? DamagedBlock { get; set; }

    [System.Text.Json.Serialization.JsonIgnore]
    public long Blocks => Runs.Sum(run => run.Count);

    public StoredFile Copy() =>
        new()
        {
            Number = Number,
            Name = Name,
            BlockSize = BlockSize,
            Runs = [.. Runs],
            DamagedBlock = DamagedBlock,
        };

    public void DamageMiddle() => DamagedBlock = Blocks / 2;

    public void Repair() => DamagedBlock = null;

    /// <summary>The seeds of all blocks, by their index.</summary>
    public IEnumerable<ulong> Seeds() => Runs.SelectMany(run => Enumerable.Repeat(run.Seed, (int)run.Count));

    /// <param name="index">A block that is there, or the one behind the last.</param>
    /// <param name="seed">What it is made of now.</param>
    public void SetBlock(long index, ulong seed)
    {
        var blocks = Blocks;
        if (index == blocks)
        {
            Append(seed);
            return;
        }

        if (index > blocks)
            throw new ZfsFailure($"stand-in: block {index} of {Name} would leave a hole behind {blocks}");
        ulong[] seeds = [.. Seeds()];
        seeds[index] = seed;
        Runs = [];
        foreach (var block in seeds)
            Append(block);
    }

    /// <summary>Drops the blocks from one on.</summary>
    public void Truncate(long blocks)
    {
        if (blocks >= Blocks)
            return;
        ulong[] seeds = [.. Seeds().Take((int)blocks)];
        Runs = [];
        foreach (var block in seeds)
            Append(block);
    }

    private void Append(ulong seed)
    {
        if (Runs is [.., var last] && last.Seed == seed)
            Runs[^1] = last with { Count = last.Count + 1 };
        else
            Runs.Add(new BlockRun(seed, 1));
    }
}

/// <summary>Blocks that follow each other and are made of one seed.</summary>
internal sealed record BlockRun(ulong Seed, long Count);
