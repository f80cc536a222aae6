using System.Net;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.Compression;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Backends;
using ZfsSnapshotManager.Server.Backups;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Downloads;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.Jobs;
using ZfsSnapshotManager.Server.Logging;
using ZfsSnapshotManager.Server.Maintenance;
using ZfsSnapshotManager.Server.Quota;
using ZfsSnapshotManager.Server.Rotation;
using ZfsSnapshotManager.Server.Status;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Uploads;
using ZfsSnapshotManager.Server.Uploads.Objects;
using ZfsSnapshotManager.Server.Uploads.Parts;
using ZfsSnapshotManager.Server.Uploads.Zfs;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server;

/// <summary>Wires the server's services and runs it until it is stopped.</summary>
internal static partial class ServerHost
{
    public static async Task RunAsync(CancellationToken cancellationToken)
    {
        var settings = ServerSettings.Read();
        using var only = DataDirectory.Lock(settings.DataDirectory, settings.DatabaseFile);
        await using var app = Build(settings);

        var catalogue = app.Services.GetRequiredService<CatalogueDatabase>();
        catalogue.Prepare();
        var clients = app.Services.GetRequiredService<ClientRegistry>().Load();
        await app
            .Services.GetRequiredService<ClientDatasets>()
            .CheckAsync(app.Services.GetRequiredService<ClientRegistry>().Current(), cancellationToken);
        foreach (
            var finding in (await app.Services.ProbeStoreAsync(cancellationToken)).Where(finding => !finding.Works)
        )
            LogMissingAbility(app.Logger, finding.Ability, finding.Note!);
        var ownership = app.Services.GetRequiredService<StoreOwnership>();
        await ownership.CheckAsync(cancellationToken);
        CatalogueIdFile.Keep(catalogue, settings, app.Logger);
        await ownership.ClaimAsync(cancellationToken);
        await app.Services.GetRequiredService<StoreFence>().RaiseAsync(cancellationToken);
        app.Services.GetRequiredService<CatalogueReserve>().Keep(); // what had to be written for the start is
        app.Services.GetRequiredService<ClockCheck>().Look();
        app.Services.GetRequiredService<JobRunner>().Prepare();

        await app.ListenAsync(settings, cancellationToken);
        // Releases what starting needed: a third of the memory.
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        LogEngines(
            app.Logger,
            CompressionEngine.Describe(CompressionFormat.Gzip),
            CompressionEngine.Describe(CompressionFormat.Zstd)
        );
        LogServing(
            app.Logger,
            string.Join(", ", app.Urls),
            app.Services.GetRequiredService<IObjectStore>().Location,
            clients
        );
        if (!IPAddress.IsLoopback(settings.BindAddress))
            LogNoTls(app.Logger);
        if (clients == 0)
            LogNoClients(app.Logger, settings.ClientsFile);
        await app.WaitForShutdownAsync(cancellationToken);
    }

    private static WebApplication Build(ServerSettings settings)
    {
        var builder = WebApplication.CreateSlimBuilder(
            new WebApplicationOptions
            {
                ContentRootPath = settings.DataDirectory,
                // No file watches on the data directory: nothing in it is configuration.
                // Otherwise each server uses one of the user's inotify instances (128 by default).
                Args = ["--hostBuilder:reloadConfigOnChange=false"],
            }
        );
        builder.Configuration.Sources.Clear(); // this program's settings are its own: docs/configuration.md
        builder
            .Logging.SetMinimumLevel(LogLevel.Information)
            .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("Microsoft.Hosting", LogLevel.Warning)
            .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None) // ProgramRunner reports a failed start
            .AddFilter(
                (category, level) => !(level == LogLevel.Critical && category == "Microsoft.AspNetCore.Server.Kestrel")
            );
        builder.Logging.AddServerLines();
        builder.AddKestrel(settings);
        // Uploads end when the server stops; only the responses to their clients take a moment.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(3));
        builder
            .Services.AddSingleton(settings)
            .AddSingleton(settings.Zfs)
            .AddSingleton(TimeProvider.System)
            .AddSingleton<CatalogueDatabase>()
            .AddSingleton<StoreOwnership>()
            .AddSingleton<ServerRun>()
            .AddSingleton<StoreFence>()
            .AddSingleton<CatalogueReserve>()
            .AddSingleton<BackupCatalogue>()
            .AddSingleton<UploadCatalogue>()
            .AddSingleton<IBegunObjects, BegunObjects>()
            .AddSingleton<MachineCatalogue>()
            .AddSingleton<MachineCheck>()
            .AddSingleton<PartCatalogue>()
            .AddSingleton<DeletionCatalogue>()
            .AddSingleton<JobCatalogue>()
            .AddSingleton<JobSignals>()
            .AddSingleton<ReadLeases>()
            .AddSingleton<ClientRegistry>()
            .AddSingleton<AuthenticationLimit>()
            .AddSingleton<AuditLog>()
            .AddSingleton<EventLog>()
            .AddSingleton<EventDelivery>()
            .AddSingleton<AuthenticationFailures>()
            .AddSingleton(services => services.GetRequiredService<CatalogueDatabase>().Outbox)
            .AddSingleton<RequestEvents>()
            .AddSingleton<ClientAuthentication>()
            .AddSingleton<RequestAuthentication>()
            .AddSingleton<RequestLimits>()
            .AddStore(settings)
            .AddLocalStorage()
            .AddSingleton<UploadSessions>()
            .AddSingleton<UploadSlots>()
            .AddSingleton<StreamAdmission>()
            .AddSingleton<StoredBase>()
            .AddSingleton<BackupCommit>()
            .AddSingleton<StreamReceiver>()
            .AddSingleton<PartSlots>()
            .AddSingleton<CompletedObjects>()
            .AddSingleton<PartReceiver>()
            .AddSingleton<ObjectCompletion>()
            .AddSingleton<ObjectRecovery>()
            .AddSingleton<ObjectOpening>()
            .AddSingleton<ObjectUploads>()
            .AddSingleton<UploadBackends>()
            .AddSingleton<PartsCompletion>()
            .AddSingleton<UploadRecovery>()
            .AddSingleton<UnsettledUploads>()
            .AddSingleton<UploadCleanUp>()
            .AddSingleton<UploadLookup>()
            .AddSingleton<UploadOpening>()
            .AddSingleton<UploadResumption>()
            .AddSingleton<BodyRequests>()
            .AddSingleton<WholeStreamReceiver>()
            .AddSingleton<ObjectDownloads>()
            .AddSingleton<ObjectBackend>()
            .AddSingleton<ZfsBackend>()
            .AddSingleton<BackupBackends>()
            .AddSingleton<BackupRemoval>()
            .AddSingleton<CatalogueClock>()
            .AddSingleton<ClockCheck>()
            .AddSingleton<RotationPlanner>()
            .AddSingleton<RotationRun>()
            .AddSingleton<IJobHandler, DeletionJob>()
            .AddSingleton<IJobHandler, ExpiredBackups>()
            .AddSingleton<IJobHandler, UploadCleanUpJob>()
            .AddSingleton<JobRunner>()
            .AddSingleton<ClientQuota>()
            .AddSingleton<RotationEndpoints>()
            .AddSingleton<UploadEndpoints>()
            .AddSingleton<UploadStreamEndpoints>()
            .AddSingleton<PartEndpoints>()
            .AddSingleton<PacedResponses>()
            .AddSingleton<DownloadSlots>()
            .AddSingleton<DownloadEndpoint>()
            .AddSingleton<ManifestEndpoints>()
            .AddSingleton<StatusEndpoints>()
            .AddSingleton<RecoveryProgress>()
            .AddSingleton<ReadyEndpoint>()
            .AddHostedService<EventPump>()
            .AddHostedService<AccessWatch>()
            .AddHostedService<IdleMemory>()
            .AddHostedService<RecoveryAfterStart>()
            .AddHostedService(services => services.GetRequiredService<JobRunner>());

        var app = builder.Build();
        app.UseErrorAnswers();
        RequestAuthentication.Use(app);
        RequestLimits.Use(app);
        UploadEndpoints.Map(app);
        UploadStreamEndpoints.Map(app);
        PartEndpoints.Map(app);
        DownloadEndpoint.Map(app);
        ManifestEndpoints.Map(app);
        StatusEndpoints.Map(app);
        RotationEndpoints.Map(app);
        ReadyEndpoint.Map(app);
        return app;
    }

    [LoggerMessage(LogLevel.Information, "Serving on {Addresses}, storing in {Location}; clients: {Clients}")]
    private static partial void LogServing(ILogger logger, string addresses, string location, int clients);

    [LoggerMessage(LogLevel.Information, "Streams are decompressed: {Gzip}; {Zstd}")]
    private static partial void LogEngines(ILogger logger, string gzip, string zstd);

    [LoggerMessage(LogLevel.Information, "The store lacks: {Ability}; {Consequence}")]
    private static partial void LogMissingAbility(ILogger logger, string ability, string consequence);

    [LoggerMessage(
        LogLevel.Warning,
        "Without TLS, keys and backups cross the network readable for others. Put a TLS proxy before the server "
            + "(docs/server.md) and set BIND_ADDRESS=127.0.0.1, or use a private network"
    )]
    private static partial void LogNoTls(ILogger logger);

    [LoggerMessage(LogLevel.Warning, "No clients in {ClientsFile} yet. Add the first one: zfs-server client add NAME")]
    private static partial void LogNoClients(ILogger logger, string clientsFile);
}
