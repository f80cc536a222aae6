using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.UnitTests.Server.Storage;

/// <summary>A store that refuses to delete some objects, and else does what another one does.</summary>
[SuppressMessage("Performance", "CA1852", Justification = "DispatchProxy derives from it.")]
internal class FaultyStore : DispatchProxy
{
    private readonly Dictionary<string, StorageFault> _faults = new(StringComparer.Ordinal);
    private IObjectStore _inner = null!;

    public static IObjectStore Over(IObjectStore inner)
    {
        var store = Create<IObjectStore, FaultyStore>();
        Of(store)._inner = inner;
        return store;
    }

    /// <summary>How often it was asked to delete something.</summary>
    public int Deletions { get; private set; }

    public static FaultyStore Of(IObjectStore store) => (FaultyStore)store;

    public void Refuse(string key, StorageFault fault) => _faults.Add(key, fault);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        if (targetMethod!.Name == nameof(IObjectStore.DeleteAsync))
        {
            Deletions++;
            if (_faults.TryGetValue((string)args![0]!, out var fault))
                return Task.FromException(new StorageException(fault, $"cannot delete {args[0]}"));
        }

        return targetMethod.Invoke(_inner, BindingFlags.DoNotWrapExceptions, binder: null, args, culture: null);
    }
}
