using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage.S3;

namespace ZfsSnapshotManager.Server.Storage;

/// <summary>Registers the store that the settings select.</summary>
internal static class StoreServices
{
    private const int PartsInMemoryForDirectory = 4;

    public static IServiceCollection AddStore(this IServiceCollection services, ServerSettings settings)
    {
        if (settings.S3 is { } s3)
        {
            services
                .AddSingleton(s3)
                .AddSingleton<S3Connection>()
                .AddSingleton<S3Store>()
                .AddTransient<S3Probe>()
                .AddSingleton<IObjectStore>(provider => provider.GetRequiredService<S3Store>());
        }
        else
        {
            services.AddSingleton<IObjectStore, DirectoryStore>();
        }

        return services
            .AddSingleton(provider => new PartBuffers(
                provider.GetRequiredService<IObjectStore>().PartSize,
                settings.S3?.PartsInMemory ?? PartsInMemoryForDirectory
            ))
            .AddSingleton<BackupStore>()
            .AddSingleton<BackupLayouts>();
    }

    /// <summary>Checks whether the store can be used and what it can do.</summary>
    /// <returns>What was tested of an S3 provider; empty for a directory.</returns>
    /// <exception cref="OperationException">It cannot be used.</exception>
    public static async Task<IReadOnlyList<ProbeFinding>> ProbeStoreAsync(
        this IServiceProvider services,
        CancellationToken cancellationToken
    )
    {
        if (services.GetService<S3Store>() is not { } store)
        {
            DirectoryStore.CheckFileSystem(services.GetRequiredService<ServerSettings>().DataDirectory);
            return [];
        }

        var probe = services.GetRequiredService<S3Probe>();
        store.Abilities = await probe.RunAsync(cancellationToken);
        return probe.Findings;
    }
}
