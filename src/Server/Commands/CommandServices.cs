using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Logging;
using ZfsSnapshotManager.Server.Maintenance;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary>The services of the server that its commands need.</summary>
internal static class CommandServices
{
    public static ServiceProvider Create(ServerSettings settings) =>
        new ServiceCollection()
            .AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning).AddCommandLines())
            .AddSingleton(settings)
            .AddSingleton(settings.Zfs)
            .AddSingleton(TimeProvider.System)
            .AddSingleton<AuditLog>()
            .AddSingleton<EventLog>()
            .AddSingleton<EventDelivery>()
            .AddSingleton(services => services.GetRequiredService<CatalogueDatabase>().Outbox)
            .AddSingleton<CatalogueDatabase>()
            .AddSingleton<StoreOwnership>()
            .AddSingleton<BackupCatalogue>()
            .AddSingleton<ServerRun>()
            .AddSingleton<CatalogueReserve>()
            .AddSingleton<UploadCatalogue>()
            .AddSingleton<DeletionCatalogue>()
            .AddSingleton<JobCatalogue>()
            .AddSingleton<IBegunObjects, BegunObjects>()
            .AddSingleton<MachineCatalogue>()
            .AddStore(settings)
            .AddSingleton<ClientDatasets>()
            .AddSingleton<ZfsSurvey>()
            .AddSingleton<ClientAdministration>()
            .AddSingleton<BackupAdministration>()
            .BuildServiceProvider();
}
