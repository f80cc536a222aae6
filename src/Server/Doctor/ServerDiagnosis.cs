using System.Net;
using System.Net.Sockets;
using ZfsSnapshotManager.Core;
using ZfsSnapshotManager.Core.CommandLine;
using ZfsSnapshotManager.Server.Catalogue;
using ZfsSnapshotManager.Server.Clients;
using ZfsSnapshotManager.Server.Configuration;
using ZfsSnapshotManager.Server.Http;
using ZfsSnapshotManager.Server.ZfsStorage;

namespace ZfsSnapshotManager.Server.Doctor;

/// <summary>Checks everything that the server needs. Changes nothing permanently.</summary>
internal sealed class ServerDiagnosis
{
    private readonly Diagnosis _result;
    private readonly ServerSettings _settings;

    private ServerDiagnosis(Diagnosis result, ServerSettings settings) => (_result, _settings) = (result, settings);

    /// <param name="createServices">Creates the services of the server that commands need.</param>
    public static async Task<Diagnosis> RunAsync(
        Func<ServerSettings, ServiceProvider> createServices,
        CancellationToken cancellationToken
    )
    {
        var result = new Diagnosis();
        if (await result.TryAsync("settings", () => Task.FromResult(ServerSettings.Read())) is { } settings)
            await new ServerDiagnosis(result, settings).CheckAsync(createServices, cancellationToken);
        return result;
    }

    private async Task CheckAsync(
        Func<ServerSettings, ServiceProvider> createServices,
        CancellationToken cancellationToken
    )
    {
        await using var services = createServices(StoreDiagnosis.WithShortTimeouts(_settings));
        _result.Pass("settings", $"valid; DATA_DIR is {_settings.DataDirectory}");
        CheckAddress();
        if (RunningServer.Exists(_settings))
            await CheckRunningServerAsync(cancellationToken);
        else
            CheckPort();
        var hasData = DirectoryDiagnosis.CheckData(
            _result,
            _settings,
            services.GetRequiredService<CatalogueDatabase>()
        );
        if (hasData || _settings.S3 is not null)
            await new StoreDiagnosis(_result, _settings, services).RunAsync(cancellationToken);
        if (
            await _result.TryAsync("clients", () => Task.FromResult(ClientsFile.Read(_settings.ClientsFile)))
            is not { } clients
        )
            return;
        CheckClients(clients);
        await new ZfsDiagnosis(
            _result,
            _settings,
            services.GetRequiredService<ClientDatasets>(),
            _settings.Zfs,
            clients
        ).RunAsync(cancellationToken);
    }

    /// <summary>The server itself does not use TLS.</summary>
    private void CheckAddress()
    {
        if (IPAddress.IsLoopback(_settings.BindAddress))
            _result.Pass("address", $"only this machine can connect to {_settings.BindAddress} port {_settings.Port}");
        else
            _result.Warn(
                "address",
                $"keys and data cross the network to {_settings.BindAddress} port {_settings.Port} unencrypted",
                "Put a TLS proxy before the server and set BIND_ADDRESS=127.0.0.1; or allow access only from a "
                    + "private network or a VPN."
            );
    }

    private async Task CheckRunningServerAsync(CancellationToken cancellationToken)
    {
        try
        {
            var answer = await RunningServer.AskAsync(_settings, cancellationToken);
            if (answer.Checks.All(check => check.Ok))
                _result.Pass("server", "is running and ready");
            foreach (var check in answer.Checks.Where(check => !check.Ok))
                _result.Fail(
                    "server",
                    $"is running, but not ready: {check.Name}: {check.Message}",
                    "The server's log says more.",
                    ExitCode.ServerFailed
                );
        }
        catch (OperationException e)
        {
            _result.Fail("server", e.Message, e.Remedy, e.ExitCode);
        }
    }

    private void CheckPort()
    {
        try
        {
            using var listener = new TcpListener(_settings.BindAddress, _settings.Port);
            // Like the server.
            if (_settings.BindAddress.Equals(IPAddress.IPv6Any))
                listener.Server.DualMode = true;
            listener.Start();
            _result.Pass("server", "is not running; its port is available");
        }
        catch (SocketException e)
        {
            var fault = ListenFault.Of(_settings, e);
            _result.Fail("server", fault.Message, fault.Remedy, fault.ExitCode);
        }
    }

    private void CheckClients(IReadOnlyList<ClientEntry> clients)
    {
        if (clients.Count == 0)
        {
            _result.Warn(
                "clients",
                $"none in {_settings.ClientsFile}",
                "Add the first one: zfs-server client add NAME"
            );
            return;
        }

        var disabled = clients.Count(client => !client.Enabled);
        _result.Pass(
            "clients",
            $"{clients.Count} in {_settings.ClientsFile}{(disabled > 0 ? $", {disabled} of them disabled" : "")}"
        );
    }
}
