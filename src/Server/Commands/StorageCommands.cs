using System.Text.Json.Serialization;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Storage;
using ZfsSnapshotManager.Server.Storage.S3;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>zfs-server storage …</c>: tests the store.</summary>
internal static class StorageCommands
{
    public static CommandWithExamples Create() =>
        new("storage", "Test the store that contains the backups.") { CreateProbe() };

    private static CommandWithExamples CreateProbe()
    {
        var probe = new CommandWithExamples(
            "probe",
            "Test with small objects what the store can do. The server does the same when it starts.",
            "zfs-server storage probe",
            "zfs-server storage probe --json"
        );
        probe.SetAction((parsed, cancellationToken) => ProbeAsync(Output.Of(parsed), cancellationToken));
        return probe;
    }

    private static async Task ProbeAsync(Output output, CancellationToken cancellationToken)
    {
        await using var services = CommandServices.Create(ServerSettings.Read());
        var findings = await services.ProbeStoreAsync(cancellationToken);
        var result = new ProbeResult
        {
            Location = services.GetRequiredService<IObjectStore>().Location,
            Findings = findings,
        };
        output.Result(result, StorageCommandsJson.Default.ProbeResult, text =>
        {
            text.WriteLine($"{result.Location} can be used.");
            if (findings.Count > 0)
                Table.Write(
                    text,
                    ["Ability", "Works", "Without it"],
                    [
                        .. findings.Select(finding =>
                            (string[])[finding.Ability, finding.Works ? "yes" : "no", finding.Note ?? ""]
                        ),
                    ]
                );
        });
    }
}

internal sealed record ProbeResult
{
    public required string Location { get; init; }

    public required IReadOnlyList<ProbeFinding> Findings { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(ProbeResult))]
internal sealed partial class StorageCommandsJson : JsonSerializerContext;
