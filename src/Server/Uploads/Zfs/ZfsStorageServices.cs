using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Uploads.Zfs;

internal static class ZfsStorageServices
{
    public static IServiceCollection AddLocalStorage(this IServiceCollection services) =>
        services
            .AddSingleton<ClientDatasets>()
            .AddSingleton<ZfsReceives>()
            .AddSingleton<PartSequencer>()
            .AddSingleton<ReceiveStart>()
            .AddSingleton<ZfsCommit>()
            .AddSingleton<ZfsStreams>()
            .AddSingleton<ZfsUploads>()
            .AddSingleton<ZfsPartReceiver>()
            .AddSingleton<DeletionBlockers>()
            .AddSingleton<PossibleBases>()
            .AddSingleton<ZfsDownloads>()
            .AddHostedService<IdleReceives>();
}
