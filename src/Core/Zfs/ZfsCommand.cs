namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Runs <c>zfs</c> commands whose output is small text.</summary>
public static class ZfsCommand
{
    /// <returns>What the command printed.</returns>
    /// <exception cref="ZfsException">The command failed.</exception>
    public static Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(ZfsProcess.Start(arguments), cancellationToken);

    /// <summary>
    /// The versions of the command and of the kernel's module, and where they run if that is another machine; for
    /// people.
    /// </summary>
    public static async Task<string> GetVersionAsync(CancellationToken cancellationToken)
    {
        var lines = (await RunAsync(["version"], cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        return string.Join(", ", lines) + (ZfsProcess.RemoteHost is { } host ? $", on {host.Destination}" : "");
    }

    /// <summary>Runs another program on the machine where <c>zfs</c> runs.</summary>
    internal static Task<string> RunOtherAsync(
        string program,
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken
    ) => RunAsync(ZfsProcess.StartOther(program, arguments), cancellationToken);

    /// <returns>Rows and columns of a command that was given <c>-H</c>.</returns>
    public static async Task<IEnumerable<string[]>> RunTableAsync(
        IReadOnlyList<string> arguments,
        CancellationToken cancellationToken
    )
    {
        var text = await RunAsync(arguments, cancellationToken);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'));
    }

    private static async Task<string> RunAsync(ZfsProcess started, CancellationToken cancellationToken)
    {
        await using var process = started;
        process.Input.Close();
        using var reader = new StreamReader(process.Output);
        var text = await reader.ReadToEndAsync(cancellationToken);
        await process.WaitForSuccessAsync(cancellationToken);
        return text;
    }
}
