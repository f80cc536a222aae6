using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Doctor;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>doctor</c>: checks everything that a backup needs.</summary>
internal static class DoctorCommand
{
    public static CommandWithExamples Create()
    {
        var verb = new CommandWithExamples(
            "doctor",
            "Check everything that a backup needs: zfs, its permissions, the server, the clock and the chains. For "
                + "each problem, print the command that fixes it. Changes nothing.",
            "zfs-client doctor",
            "zfs-client doctor --recursive --json"
        );
        DatasetOptions.AddTo(verb);
        verb.Add(ProgramRunner.QuietOption);
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                var settings = ClientSettings.Read(DatasetOptions.Read(parsed));
                using var server = new ApiClient(settings.Server);
                var result = await new ClientDiagnosis(settings, server, TimeProvider.System).RunAsync(
                    cancellationToken
                );
                return result.Report(Output.Of(parsed));
            }
        );
        return verb;
    }
}
