using System.Text.Json.Serialization;

namespace ZfsSnapshotManager.Core.CommandLine;

/// <summary>The checks of <c>doctor</c>: one line each, with what to do if it failed.</summary>
public sealed class Diagnosis
{
    private const string Warning = "warning";
    private const string Failed = "failed";

    private readonly List<DiagnosisLine> _lines = [];
    private ExitCode _exitCode = ExitCode.Success;

    /// <summary>The check passed.</summary>
    public void Pass(string name, string message) =>
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = "ok",
                Message = message,
            }
        );

    /// <summary>The check found something that works but deserves attention.</summary>
    public void Warn(string name, string message, string? remedy) =>
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = Warning,
                Message = message,
                Remedy = remedy,
            }
        );

    /// <summary>The check failed. The first failure decides the exit code.</summary>
    public void Fail(string name, string message, string? remedy, ExitCode exitCode)
    {
        _lines.Add(
            new DiagnosisLine
            {
                Name = name,
                Status = Failed,
                Message = message,
                Remedy = remedy,
            }
        );
        if (_exitCode == ExitCode.Success)
            _exitCode = exitCode;
    }

    /// <summary>Runs a check whose failure is a result.</summary>
    /// <returns>Null if it failed.</returns>
    public async Task<T?> TryAsync<T>(string name, Func<Task<T>> check)
        where T : class
    {
        try
        {
            return await check();
        }
        catch (OperationException e)
        {
            Fail(name, e.Message, e.Remedy, e.ExitCode);
            return null;
        }
    }

    /// <returns>The exit code.</returns>
    public int Report(Output output)
    {
        var shown = _lines;
        if (output is { Quiet: true, Json: false })
        {
            shown = _lines.FindAll(line => line.Status == Failed);
            foreach (var line in _lines.Where(line => line.Status == Warning))
                output.Warn($"{line.Name}: {line.Message.TrimEnd('.')}. {line.Remedy}".TrimEnd());
        }

        output.Results(
            _lines,
            DiagnosisJson.Default.DiagnosisLine,
            text => Write(text, shown),
            success: _exitCode == ExitCode.Success
        );
        return (int)_exitCode;
    }

    private static void Write(TextWriter text, IEnumerable<DiagnosisLine> lines)
    {
        foreach (var line in lines)
        {
            text.WriteLine($"{line.Status, -8} {line.Name}: {line.Message}");
            if (line.Remedy is not null)
                text.WriteLine($"         {line.Remedy}");
        }
    }
}

public sealed record DiagnosisLine
{
    public required string Name { get; init; }

    /// <summary><c>ok</c>, <c>warning</c> or <c>failed</c>.</summary>
    public required string Status { get; init; }

    public required string Message { get; init; }

    public string? Remedy { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull
)]
[JsonSerializable(typeof(DiagnosisLine))]
internal sealed partial class DiagnosisJson : JsonSerializerContext;
