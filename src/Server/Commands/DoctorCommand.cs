using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Doctor;

namespace ZfsSnapshotManager.Server.Commands;

/// <summary><c>doctor</c>: finds problems before the server does.</summary>
internal static class DoctorCommand
{
    public static CommandWithExamples Create()
    {
        var verb = new CommandWithExamples(
            "doctor",
            "Check everything that the server needs: settings, DATA_DIR, the catalogue, the clients, the store, and "
                + "ZFS "
                + "with its permissions (with the exact 'zfs allow' line that is missing). "
                + "Changes nothing, and may run beside the server. Run it as the server's user.",
            "zfs-server doctor",
            "runuser -u zfs-server -- zfs-server doctor --json"
        );
        verb.Add(ProgramRunner.QuietOption);
        verb.SetAction(
            async (parsed, cancellationToken) =>
            {
                var result = await ServerDiagnosis.RunAsync(CommandServices.Create, cancellationToken);
                return result.Report(Output.Of(parsed));
            }
        );
        return verb;
    }
}
