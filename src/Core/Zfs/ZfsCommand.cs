namespace ZfsSnapshotManager.Core.Zfs;

/// <summary>Runs <c>zfs</c> commands whose output is small text.</summary>
public static class ZfsCommand
{
    /// <returns>What the command printed.</returns>
    /// <exception cref="ZfsException">The command failed.</exception>
    public static async Task<string> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        await using var process = ZfsProcess.Start(arguments);
        process.Input.Close();
        using var reader = new StreamReader(process.Output);
        var text = await reader.ReadToEndAsync(cancellationToken).ConfigureAwait(false);
        await process.WaitForSuccessAsync(cancellationToken).ConfigureAwait(false);
        return text;
    }

    /// <returns>Rows and columns of a command that was given <c>-H</c>.</returns>
    public static async Task<IEnumerable<string[]>> RunTableAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var text = await RunAsync(arguments, cancellationToken).ConfigureAwait(false);
        return text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'));
    }
}
