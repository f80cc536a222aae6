namespace ZfsSnapshotManager.Server.LocalStorage;

internal static class LocalStorageServices
{
    public static IServiceCollection AddLocalStorage(this IServiceCollection services) =>
        services
            .AddSingleton<LocalParents>()
            .AddSingleton<LocalReceives>()
            .AddSingleton<LocalTurns>()
            .AddSingleton<LocalStart>()
            .AddSingleton<LocalCommit>()
            .AddSingleton<LocalUploads>()
            .AddSingleton<LocalPartReceiver>()
            .AddSingleton<LocalObstacles>()
            .AddSingleton<LocalBases>()
            .AddSingleton<LocalDownloads>()
            .AddHostedService<IdleReceives>();
}
