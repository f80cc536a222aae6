using System.CommandLine;
using ZfsSnapshotManager.Client.Configuration;
using ZfsSnapshotManager.Client.Doctor;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Core.CommandLine;

namespace ZfsSnapshotManager.Client.Commands;

/// <summary><c>doctor</c>: says what a backup would lack, before it lacks it.</summary>
internal static class DoctorCommand
{
    public static Verb Create()
    {
        var verb = new Verb(
            "doctor",
            "Check all that a backup needs: zfs and its permissions (with the exact 'zfs allow' line that is "
                + "missing), the server, the clock, the chains. Changes nothing.",
            "zfs-client doctor",
            "zfs-client doctor --recursive --json"
        );
        SelectionOptions.AddTo(verb);
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                var settings = ClientSettings.Read(SelectionOptions.Read(parsed));
                using var server = new ApiClient(settings.Server);
                var result = await new ClientDiagnosis(settings, server, TimeProvider.System).RunAsync(
                    cancellationToken
                );
                return result.Report(parsed.GetValue(ProgramRunner.JsonOption));
            }
        );
        return verb;
    }
}
