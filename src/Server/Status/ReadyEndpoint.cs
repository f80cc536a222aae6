using Microsoft.Data.Sqlite;
using ZfsSnapshotManager.Core.Api;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Doctor;
using ZfsSnapshotManager.Server.Storage;

namespace ZfsSnapshotManager.Server.Status;

/// <summary>
/// GET /ready: whether the server can do its work. It needs no authentication, so the response names no paths, keys or
/// clients; the log does.
/// </summary>
internal sealed partial class ReadyEndpoint
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(5);

    private readonly ReadyCheck[] _checks;
    private readonly CatalogueDatabase _database;
    private readonly IObjectStore _store;
    private readonly ClientRegistry _clients;
    private readonly RecoveryProgress _recovery;
    private readonly ILogger<ReadyEndpoint> _logger;

    public ReadyEndpoint(
        CatalogueDatabase database,
        IObjectStore store,
        ClientRegistry clients,
        RecoveryProgress recovery,
        TimeProvider time,
        ILogger<ReadyEndpoint> logger
    )
    {
        (_database, _store, _clients, _recovery, _logger) = (database, store, clients, recovery, logger);
        _checks =
        [
            Create("catalogue", Lifetime, _ => Task.FromResult(CheckCatalogue())),
            Create("store", Lifetime, CheckStoreAsync),
            // Commands ask after each change; it costs no more than any other request.
            Create(RunningServer.ClientsCheck, TimeSpan.Zero, _ => Task.FromResult(CheckClients())),
        ];

        ReadyCheck Create(string name, TimeSpan lifetime, Func<CancellationToken, Task<ReadyFault?>> probe) =>
            new(name, probe, Patience, lifetime, time, LogChange);
    }

    public static void Map(WebApplication app)
    {
        app.MapGet("/ready", Answer).AllowAnonymous();
        app.MapMethods("/ready", [HttpMethods.Head], Answer).AllowAnonymous(); // monitors and balancers ask so

        Task Answer(HttpContext context) => app.Services.GetRequiredService<ReadyEndpoint>().AnswerAsync(context);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var checks = await Task.WhenAll(_checks.Select(check => check.RunAsync()));
        // Requests recover the uploads that they name, so the server can do its work meanwhile.
        var recovery = new ReadyResult
        {
            Name = "recovery",
            Ok = true,
            Message = _recovery.Message,
        };
        ReadyResult[] results = [.. checks, recovery];
        var ready = results.All(result => result.Ok);
        context.Response.StatusCode = ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        var answer = new ReadyAnswer { Status = ready ? "ready" : "not_ready", Checks = results };
        await context.Response.WriteAsJsonAsync(
            answer,
            ApiJson.Default.ReadyAnswer,
            cancellationToken: context.RequestAborted
        );
    }

    private ReadyFault? CheckCatalogue()
    {
        try
        {
            _database.Ping();
            return null;
        }
        catch (Exception e) when (e is SqliteException or IOException)
        {
            return new ReadyFault("The catalogue does not answer; the server's log says why.", e.Message);
        }
    }

    private async Task<ReadyFault?> CheckStoreAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _store.PingAsync(cancellationToken);
            return null;
        }
        catch (StorageException e)
        {
            return new ReadyFault(Describe(e.Fault), e.Message);
        }
    }

    private static string Describe(StorageFault fault) =>
        fault switch
        {
            StorageFault.Refused => "The store refuses the server; the server's log says why.",
            StorageFault.Missing => "The store lacks what it should contain; the server's log says what.",
            _ => "The store does not answer; the server's log says why.",
        };

    private ReadyFault? CheckClients() =>
        _clients.Fault is { } fault
            ? new ReadyFault(
                "clients.json is invalid, and the last valid version is in force; the server's log names the line "
                    + "and the field.",
                fault
            )
            : null;

    private void LogChange(ReadyResult result, string? detail)
    {
        if (result.Ok)
            LogReady(result.Name);
        else
            LogNotReady(result.Name, detail!);
    }

    [LoggerMessage(LogLevel.Information, "Ready again: {Name}")]
    private partial void LogReady(string name);

    [LoggerMessage(LogLevel.Warning, "Not ready: {Name}: {Reason}")]
    private partial void LogNotReady(string name, string reason);
}
