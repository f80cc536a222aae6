using System.Text.Json;
using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.ZfsStandIn.State;

/// <summary>
/// The state in a directory. One file, replaced whole by a rename, so that a process that is killed at any moment
/// leaves the old state or the new one; changes wait for one another at a lock that ends with its process.
/// </summary>
internal static class StateStore
{
    public static string Directory { get; } =
        Environment.GetEnvironmentVariable("ZFS_STANDIN")
        ?? throw new ZfsFailure("stand-in: the environment variable ZFS_STANDIN names no directory");

    private static string File => Path.Combine(Directory, "state.json");

    public static PoolState Read() =>
        System.IO.File.Exists(File)
            ? JsonSerializer.Deserialize(System.IO.File.ReadAllBytes(File), StateJson.Default.PoolState)!
            : PoolState.Create();

    /// <summary>Changes the state, or, if the change throws, leaves it as it is.</summary>
    public static T Change<T>(Func<PoolState, T> change)
    {
        using var turn = FileLock.Wait(Path.Combine(Directory, "lock"));
        var pool = Read();
        pool.Txg++;
        var result = change(pool);
        var temporary = $"{File}.new";
        System.IO.File.WriteAllBytes(temporary, JsonSerializer.SerializeToUtf8Bytes(pool, StateJson.Default.PoolState));
        System.IO.File.Move(temporary, File, overwrite: true);
        return result;
    }

    public static void Change(Action<PoolState> change) =>
        Change(pool =>
        {
            change(pool);
            return true;
        });
}

[JsonSourceGenerationOptions(DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PoolState))]
internal sealed partial class StateJson : JsonSerializerContext;
