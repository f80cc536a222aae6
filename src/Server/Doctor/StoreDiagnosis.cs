using System.Globalization;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Storage.S3;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>
/// Checks the object store: tests S3 like the start of the server, and to which catalogue the store belongs.
/// </summary>
internal sealed class StoreDiagnosis(Diagnosis result, ServerSettings settings, IServiceProvider services)
{
    /// <summary>A diagnosis must not retry as long as a backup may.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <summary>As in the client: synchronized clocks differ less.</summary>
    private static readonly TimeSpan Tolerance = TimeSpan.FromMinutes(2);

    /// <summary>The settings with short timeouts for S3.</summary>
    public static ServerSettings WithShortTimeouts(ServerSettings settings)
    {
        return settings.S3 is { } s3
            ? settings with
            {
                S3 = s3 with { RetryTime = Least(s3.RetryTime), IdleTimeout = Least(s3.IdleTimeout) },
            }
            : settings;

        static TimeSpan Least(TimeSpan set) => set < Patience ? set : Patience;
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        if (settings.S3 is null)
        {
            foreach (var directory in (string[])["objects", "incoming"])
                DirectoryDiagnosis.CheckDirectory(result, "store", Path.Combine(settings.DataDirectory, directory));
            await result.TryAsync("store", () => services.ProbeStoreAsync(cancellationToken));
            if (File.Exists(services.GetRequiredService<CatalogueDatabase>().Path)) // else that is the fault
                await CheckOwnerAsync(cancellationToken);
            return;
        }

        var findings = await result.TryAsync("store", () => services.ProbeStoreAsync(cancellationToken));
        CheckClock(services.GetRequiredService<S3Connection>().ClockDifference);
        if (findings is null)
            return;
        result.Pass(
            "store",
            $"{services.GetRequiredService<IObjectStore>().Location} does everything that is required"
        );
        foreach (var finding in findings.Where(finding => !finding.Works))
            result.Warn("store", $"it lacks: {finding.Ability}", $"Without it: {finding.Note}");
        await CheckOwnerAsync(cancellationToken);
    }

    /// <param name="apart">Null if S3 did not answer.</param>
    private void CheckClock(TimeSpan? apart)
    {
        if (apart is not { } difference)
            return;
        if (difference.Duration() <= Tolerance)
            result.Pass("clock", $"within {Math.Max(1, Math.Ceiling(difference.Duration().TotalSeconds)):0} s of S3's");
        else
            result.Warn(
                "clock",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{difference.Duration().TotalMinutes:0} minutes "
                        + $"{(difference > TimeSpan.Zero ? "ahead of" : "behind")} S3's"
                ),
                "Let NTP set this machine's clock: backups are rotated, and retentions end, by it."
            );
    }

    private async Task CheckOwnerAsync(CancellationToken cancellationToken)
    {
        var database = services.GetRequiredService<CatalogueDatabase>();
        // A damaged one has been reported. The next start upgrades one of an earlier version before it checks this.
        if (File.Exists(database.Path) && FindVersion(database) != CatalogueDatabase.CurrentVersion)
            return;
        var ownership = services.GetRequiredService<StoreOwnership>();
        await result.TryAsync("store", async () =>
        {
            await ownership.CheckAsync(cancellationToken);
            return ownership;
        });
    }

    private static int? FindVersion(CatalogueDatabase database)
    {
        try
        {
            return database.Inspect();
        }
        catch (OperationException)
        {
            return null;
        }
    }
}
