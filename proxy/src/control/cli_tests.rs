use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;

const IN_CLUSTER: [&str; 11] = [
    "run",
    "--operator=https://operator:9443",
    "--proxy=dragoman-system/default",
    "--token-file=/token",
    "--ca-file=/ca",
    "--snapshot=/snapshot",
    "--pod-name=p",
    "--threads=3",
    "--log-level=debug",
    "--log-format=json",
    "--drain-timeout=1m30s",
];

fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["dragoman-proxy"].iter().chain(args))
}

fn run(args: &[&str]) -> RunArgs {
    match parse(args).unwrap().command {
        Command::Run(args) => *args,
        _ => panic!("not run"),
    }
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_for_this_program_alone_is_not_advertised() {
    assert!(matches!(
        parse(&[child::COMMAND]).unwrap().command,
        Command::Compile
    ));
    let help = Cli::command().render_long_help().to_string();
    assert!(!help.contains(child::COMMAND), "{help}");
}

#[test]
fn help_and_version_are_no_faults() {
    assert_eq!(
        parse(&["--help"]).unwrap_err().kind(),
        ErrorKind::DisplayHelp
    );
    assert_eq!(
        parse(&["--version"]).unwrap_err().kind(),
        ErrorKind::DisplayVersion
    );
    assert_eq!(parse(&["--help"]).unwrap_err().exit_code(), 0);
}

#[test]
fn config_comes_from_files_or_from_the_operator_never_from_both() {
    for wrong in [
        &["run"][..],
        &["run", "--config=/c", "--operator=https://o"],
        &["run", "--operator=https://o"],
        &["run", "--config=/c", "--token-file=/t"],
        &["run", "--config=/c", "--snapshot=/s"],
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
    assert!(matches!(
        run(&["run", "--config=/c"]).source(),
        Some(ConfigSource::Files(source)) if source.as_os_str() == "/c"
    ));
    let Some(ConfigSource::Operator(source)) = run(&IN_CLUSTER).source() else {
        panic!("no operator");
    };
    assert_eq!(source.proxy, ObjectKey::new("dragoman-system", "default"));
    assert_eq!(source.pod, "p");
}

#[test]
fn the_admin_port_is_reachable_from_outside_only_in_a_cluster() {
    assert_eq!(
        run(&["run", "--config=/c"]).admin().to_string(),
        "127.0.0.1:9090"
    );
    assert_eq!(run(&IN_CLUSTER).admin().to_string(), "0.0.0.0:9090");
    let own = run(&["run", "--config=/c", "--admin=[::1]:1"]);
    assert_eq!(own.admin().to_string(), "[::1]:1");
}

#[test]
fn only_a_cluster_needs_a_moment_to_forget_us() {
    assert_eq!(run(&["run", "--config=/c"]).drain_delay(), Duration::ZERO);
    assert_eq!(run(&IN_CLUSTER).drain_delay(), Duration::from_secs(5));
    assert_eq!(run(&IN_CLUSTER).drain_timeout, Duration::from_secs(90));
}

#[test]
fn a_wrong_value_says_how_to_write_it() {
    for (wrong, cure) in [
        (
            &["run", "--config=/c", "--drain-timeout=soon"][..],
            "300ms, 5s or 1h30m",
        ),
        (
            &["run", "--operator=https://o", "--proxy=default"],
            "NAMESPACE/NAME",
        ),
        (&["run", "--operator=http://o"], "https://"),
        (&["run", "--config=/c", "--log-level=loud"], "trace"),
    ] {
        let fault = parse(wrong).unwrap_err();
        assert_eq!(fault.exit_code(), 2);
        assert!(fault.to_string().contains(cure), "{fault}");
    }
}
