using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

internal static class LocalStorageServices
{
    public static IServiceCollection AddLocalStorage(this IServiceCollection services) =>
        services
            .AddSingleton<LocalParents>()
            .AddSingleton<LocalReceives>()
            .AddSingleton<PartSequencer>()
            .AddSingleton<LocalStart>()
            .AddSingleton<LocalCommit>()
            .AddSingleton<LocalUploads>()
            .AddSingleton<LocalPartReceiver>()
            .AddSingleton<DeletionBlockers>()
            .AddSingleton<LocalBases>()
            .AddSingleton<LocalDownloads>()
            .AddHostedService<IdleReceives>();
}
