using System.CommandLine;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Audit;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Events;
using ZfsSnapshotManager.Server.Files;
using ZfsSnapshotManager.Server.Maintenance;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server catalogue …</c>: checks the catalogue, or creates it again from the store.</summary>
internal static class CatalogueCommands
{
    public static CommandWithExamples Create() =>
        new("catalogue", "Check the list of backups, or create it again from the store.")
        {
            CreateCheck(),
            CreateRebuild(),
        };

    private static CommandWithExamples CreateCheck()
    {
        var deep = new Option<bool>("--deep") { Description = "Also read and verify every stream." };
        var client = new Option<string>("--client")
        {
            Description = "Only this client's backups.",
            HelpName = "client-id",
        };
        var check = new CommandWithExamples(
            "check",
            "Compare the catalogue, the manifests and the objects. Changes nothing; the server may run meanwhile.",
            "zfs-server catalogue check",
            "zfs-server catalogue check --deep --client web1",
            "zfs-server catalogue check --json"
        )
        {
            deep,
            client,
            ProgramRunner.QuietOption,
        };
        check.SetAction(
            (parsed, cancellationToken) =>
                CheckAsync(Output.Of(parsed), parsed.GetValue(deep), parsed.GetValue(client), cancellationToken)
        );
        return check;
    }

    private static CommandWithExamples CreateRebuild()
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Only show what would be listed." };
        var rebuild = new CommandWithExamples(
            "rebuild",
            "Create the catalogue again from the manifests in the store. The server must be stopped; the old "
                + "catalogue is kept beside the new one.",
            "zfs-server catalogue rebuild --dry-run",
            "zfs-server catalogue rebuild"
        )
        {
            dryRun,
        };
        rebuild.SetAction(
            (parsed, cancellationToken) => RebuildAsync(Output.Of(parsed), parsed.GetValue(dryRun), cancellationToken)
        );
        return rebuild;
    }

    private static async Task<int> CheckAsync(
        Output output,
        bool deep,
        string? clientId,
        CancellationToken cancellationToken
    )
    {
        if (clientId is not null && !ClientIdRule.IsValid(clientId))
            throw new OperationException(
                ExitCode.Usage,
                $"'{clientId}' is not a valid client id: {ClientIdRule.Text}."
            );
        var settings = ServerSettings.Read();
        await using var services = CommandServices.Create(settings);
        var (store, catalogue, uploads) = (
            services.GetRequiredService<BackupStore>(),
            services.GetRequiredService<BackupCatalogue>(),
            services.GetRequiredService<UploadCatalogue>()
        );
        services.GetRequiredService<CatalogueDatabase>().RequireCurrent();
        var (found, notes) = await new CatalogueCheck(
            store,
            services.GetRequiredService<ZfsSurvey>(),
            ClientsFile.Read(settings.ClientsFile),
            catalogue,
            services.GetRequiredService<DeletionCatalogue>(),
            uploads,
            services.GetRequiredService<TimeProvider>()
        ).RunAsync(clientId, cancellationToken);
        List<CatalogueFinding> findings = [.. found];
        var listed = catalogue.ListAll(clientId);
        var bytesRead = 0L;
        if (deep)
        {
            var broken = found
                .Where(finding =>
                    finding.Kind
                        is not (FindingKind.BaseMissing or FindingKind.ManifestDiffers or FindingKind.OrphanObject)
                )
                .Select(finding => finding.Key)
                .ToHashSet(StringComparer.Ordinal);
            (var damaged, bytesRead) = await new DeepCheck(store, catalogue, settings.Zfs, output).RunAsync(
                [.. listed.Where(backup => !broken.Contains(backup.Info.StorageKey))],
                cancellationToken
            );
            findings.AddRange(damaged);
        }

        var report = new CheckReport
        {
            Checked = listed.Count,
            BytesRead = bytesRead,
            Findings = [.. findings.OrderBy(finding => finding.Key, StringComparer.Ordinal)],
            Notes = notes,
        };
        output.Result(
            report,
            CatalogueJson.Default.CheckReport,
            text => Write(text, report),
            success: report.Findings.Count == 0
        );
        return End(
            output,
            findings.Count,
            $"{findings.Count} findings.",
            "Each finding above says what to do; docs/server.md has more."
        );
    }

    private static async Task<int> RebuildAsync(Output output, bool dryRun, CancellationToken cancellationToken)
    {
        var settings = ServerSettings.Read();
        using var only = DataDirectory.Lock(settings.DataDirectory, settings.DatabaseFile);
        await using var services = CommandServices.Create(settings);
        if (!dryRun)
            await services.ProbeStoreAsync(cancellationToken); // it writes
        var rebuild = new CatalogueRebuild(
            settings,
            services.GetRequiredService<BackupStore>(),
            services.GetRequiredService<ZfsSurvey>(),
            services.GetRequiredService<StoreOwnership>(),
            services.GetRequiredService<CatalogueDatabase>(),
            services.GetRequiredService<TimeProvider>(),
            output
        );
        var delivery = services.GetRequiredService<EventDelivery>();
        if (!dryRun)
            DeliverOld(services.GetRequiredService<CatalogueDatabase>(), delivery);
        var report = await rebuild.RunAsync(dryRun, cancellationToken);
        if (!dryRun)
            Tell(services, report);
        output.Result(
            report,
            CatalogueJson.Default.RebuildReport,
            text => Write(text, report),
            success: report.Findings.Count == 0
        );
        return End(
            output,
            report.Findings.Count,
            $"{report.LeftOut} are left out, each for the reason above.",
            "After a fix, run 'zfs-server catalogue rebuild' again to list them."
        );
    }

    /// <summary>Events of the old catalogue are not in the new one.</summary>
    private static void DeliverOld(CatalogueDatabase database, EventDelivery delivery)
    {
        try
        {
            if (File.Exists(database.Path) && database.Inspect() == CatalogueDatabase.CurrentVersion)
                delivery.Run();
        }
        catch (Exception e) when (e is OperationException or SqliteException)
        {
            CommandWarnings.Add($"Events of the old catalogue are lost for the audit log: {e.Message}", Console.Error);
        }
    }

    private static void Tell(ServiceProvider services, RebuildReport report)
    {
        services
            .GetRequiredService<Outbox>()
            .Publish(
                ServerEvent.Of(
                    ServerEvents.CatalogueRebuilt,
                    EventActor.Admin,
                    services.GetRequiredService<TimeProvider>().GetUtcNow(),
                    ("listed", $"{report.Listed}"),
                    ("left_out", $"{report.LeftOut}"),
                    ("no_longer_listed", $"{report.NoLongerListed.Count}")
                )
            );
        services.GetRequiredService<EventDelivery>().Run();
    }

    private static int End(Output output, int findings, string summary, string remedy)
    {
        if (findings == 0)
            return (int)ExitCode.Success;
        // The report is the one JSON object.
        return output.Json ? (int)ExitCode.Damaged : throw new OperationException(ExitCode.Damaged, summary, remedy);
    }

    private static void Write(TextWriter text, CheckReport report)
    {
        WriteFindings(text, report.Findings, report.Notes);
        var read = report.BytesRead > 0 ? $", {ByteSize.Format(report.BytesRead)} read" : "";
        text.WriteLine(
            $"{report.Checked} listed backups checked{read}: "
                + $"{(report.Findings.Count == 0 ? "no findings" : $"{report.Findings.Count} findings")}."
        );
    }

    private static void Write(TextWriter text, RebuildReport report)
    {
        WriteFindings(text, report.Findings, report.Notes);
        if (report.PreviousFault is not null)
            text.WriteLine(
                "The old catalogue cannot be read, so no backup is pinned or expiring any more; pin again those "
                    + $"that must stay (zfs-server backup pin). {report.PreviousFault}"
            );
        if (report.NoLongerListed.Count > 0)
        {
            text.WriteLine(
                $"Of the {report.PreviousListed} backups that the old catalogue listed, "
                    + $"{report.NoLongerListed.Count} "
                    + $"{(report.DryRun ? "would no longer be listed" : "are no longer listed")}:"
            );
            foreach (var id in report.NoLongerListed)
                text.WriteLine($"  {id}");
        }

        text.WriteLine(
            report.DryRun
                ? $"{report.Listed} backups would be listed. Nothing was changed."
                : $"{report.Listed} backups are listed in {report.Catalogue}."
        );
        if (report.PreviousCatalogue is not null)
            text.WriteLine($"The old catalogue is kept as {report.PreviousCatalogue}.");
    }

    private static void WriteFindings(
        TextWriter text,
        IReadOnlyList<CatalogueFinding> findings,
        IReadOnlyList<CatalogueFinding> notes
    )
    {
        foreach (var finding in findings)
            text.WriteLine($"{finding.Key}: {finding.Kind}: {finding.Message}");
        foreach (var note in notes)
            text.WriteLine($"{note.Key}: note: {note.Message}");
    }
}

internal sealed record CheckReport
{
    /// <summary>The number of listed backups.</summary>
    public required int Checked { get; init; }

    /// <summary>Stored bytes that were read.</summary>
    public required long BytesRead { get; init; }

    public required IReadOnlyList<CatalogueFinding> Findings { get; init; }

    public required IReadOnlyList<CatalogueFinding> Notes { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(CheckReport))]
[JsonSerializable(typeof(RebuildReport))]
internal sealed partial class CatalogueJson : JsonSerializerContext;
